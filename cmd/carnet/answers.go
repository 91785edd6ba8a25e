package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
)

// keyFlags makes a flag of every key that a destination of some kind has, as the kinds declare it.
func keyFlags(cmd *cobra.Command, known *catalog.Kinds) {
	f, words := cmd.Flags(), map[string][]string{}
	for _, kind := range known.Names {
		all, _ := known.Keys(kind)
		for _, k := range all.Leaves() {
			name := k.FlagName()
			switch {
			case !k.Asked():
				continue
			case f.Lookup(name) != nil:
			case k.IsFlag():
				f.Bool(name, false, "")
			case k.IsList():
				f.StringArray(name, nil, "")
			default:
				f.String(name, "", "")
			}
			saidOf(f.Lookup(name), kind, k.Sentence)
			words[name] = append(words[name], k.Words()...)
		}
	}
	for name, list := range words {
		complete(cmd, name, list...)
	}
}

// kindsOf marks a flag with the kinds that have its key.
const kindsOf = "kinds"

// saidOf writes into a flag's usage what it is for a kind: KINDS: SENTENCE; KINDS: SENTENCE.
func saidOf(flag *pflag.Flag, kind, says string) {
	says = strings.ReplaceAll(strings.TrimSuffix(says, "."), "`", "")
	before, ends := strings.CutSuffix(flag.Usage, ": "+says)
	switch {
	case flag.Usage == "":
		flag.Usage = kind + ": " + says
	case ends:
		flag.Usage = before + ", " + kind + ": " + says
	default:
		flag.Usage += "; " + kind + ": " + says
	}
	flag.Annotations = map[string][]string{kindsOf: append(flag.Annotations[kindsOf], kind)}
}

// refuseFlags refuses what does not belong to the kind: it would be lost in silence.
func refuseFlags(flags *pflag.FlagSet, kind, what string) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if kinds := f.Annotations[kindsOf]; kinds != nil && !slices.Contains(kinds, kind) || f.Name == "kind" && kind == "" {
			err = fmt.Errorf("--%s is not for %s: take it out", f.Name, what)
		}
	})
	return err
}

// answers are what flags and a person say of a destination's keys, and the lines that they make.
// What they come to is checked when the file is written, all of it at once.
type answers struct {
	*prompter
	flags *pflag.FlagSet
	all   keys.Set
	given map[string]string
	lines []string
}

func (a *answers) set(s keys.Set) error {
	for _, k := range s {
		err := error(nil)
		switch {
		case k.Inlined != nil:
			err = a.set(k.Inlined)
		case k.OneOf != nil:
			err = a.choose(k.OneOf)
		case k.Asked():
			err = a.key(k, k.Needs(a.value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// choose takes what flags give of a choice. If they give none of its first keys, it asks for one
// after the other until there is an answer.
func (a *answers) choose(sets []keys.Set) error {
	var names []string
	for _, s := range sets {
		names = append(names, "--"+s.Leaves()[0].FlagName())
	}
	if slices.ContainsFunc(names, func(name string) bool { return a.flags.Changed(name[2:]) }) {
		for _, s := range sets {
			for _, k := range s.Leaves() {
				if err := a.key(k, false); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if !a.asks {
		a.missing = append(a.missing, strings.Join(names, " or "))
		return nil
	}
	for i, s := range sets {
		first := s.Leaves()[0]
		if i+1 < len(sets) {
			first.Sentence += " Nothing, for " + names[i+1][2:] + "."
		}
		if err := a.key(first, true); err != nil || a.given[first.Name] != "" {
			return err
		}
	}
	return nil
}

// key takes one key: from its flag; or, where it is wanted, an ExternalId is made, and the rest is
// asked for.
func (a *answers) key(k keys.Key, wanted bool) error {
	var values []string
	flag := a.flags.Lookup(k.FlagName())
	list, isList := flag.Value.(pflag.SliceValue)
	switch {
	case flag.Changed && isList:
		values = list.GetSlice()
	case flag.Changed:
		values = []string{flag.Value.String()}
	case wanted && k.Use == keys.Binding:
		values = []string{newExternalID()}
	case wanted:
		line, err := a.text(k.FlagName(), question(k), func(line string) error { return checked(k, line) })
		if err != nil {
			return err
		}
		values = split(k, line)
	}
	for _, v := range values {
		if err := k.Check(v); err != nil {
			return fmt.Errorf("--%s %w", k.FlagName(), err)
		}
	}
	if len(values) > 0 {
		a.given[k.Name] = strings.Join(values, ",")
		a.lines = append(a.lines, k.Name+": "+k.YAML(values...))
	}
	return nil
}

// value is what was given for a key so far, or its default.
func (a *answers) value(key string) string { return cmp.Or(a.given[key], a.all.Key(key).Default) }

func question(k keys.Key) string {
	says := k.Name + " (" + strings.TrimSuffix(k.Sentence, ".")
	if k.Words() == nil {
		says += ", such as " + strings.Trim(k.Example(), "[]")
	}
	return says + ")"
}

// checked says what is wrong with an answer. Nothing is one where the question says so.
func checked(k keys.Key, line string) error {
	values := split(k, line)
	if len(values) == 0 && !strings.Contains(k.Sentence, "Nothing, for") {
		return errors.New("is missing")
	}
	for _, one := range values {
		if err := k.Check(one); err != nil {
			return err
		}
	}
	return nil
}

// split takes a list apart at its commas.
func split(k keys.Key, line string) []string {
	list := []string{line}
	if k.IsList() {
		list = strings.Split(line, ",")
	}
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// A prompter asks on a terminal for what no flag said; elsewhere it collects what is
// missing, to say it all at once.
type prompter struct {
	cmd     *cobra.Command
	in      *bufio.Reader
	asks    bool
	missing []string
}

func (o *addOptions) prompter(cmd *cobra.Command) *prompter {
	in := cmd.InOrStdin()
	file, ok := in.(*os.File)
	return &prompter{cmd: cmd, in: bufio.NewReader(in), asks: o.ask || ok && term.IsTerminal(int(file.Fd()))}
}

// text asks until check takes the answer.
func (p *prompter) text(flag, question string, check func(string) error) (string, error) {
	if !p.asks {
		p.missing = append(p.missing, "--"+flag)
		return "", nil
	}
	for {
		fmt.Fprintf(p.cmd.ErrOrStderr(), "%s: ", question)
		line, err := p.in.ReadString('\n')
		line = strings.TrimSpace(line)
		if line == "" && err != nil {
			return "", fmt.Errorf("no answer to %q, and no --%s: nothing was written", question, flag)
		}
		if wrong := check(line); wrong == nil {
			return line, nil
		} else if line != "" {
			fmt.Fprintf(p.cmd.ErrOrStderr(), "%s %v\n", strings.Fields(flag)[0], wrong)
		}
	}
}

func (p *prompter) done() error {
	if len(p.missing) == 0 {
		return nil
	}
	return fmt.Errorf("missing: write %s, or run it on a terminal, where it asks", strings.Join(p.missing, ", "))
}
