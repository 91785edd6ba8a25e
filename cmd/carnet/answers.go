package main

import (
	"bufio"
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
			name, usage := k.FlagName(), kind+": "+k.Sentence
			switch flag := f.Lookup(name); {
			case !k.Asked():
				continue
			case flag != nil:
				flag.Usage = alsoOf(flag.Usage, kind, k.Sentence)
			case k.IsFlag():
				f.Bool(name, false, usage)
			case k.IsList():
				f.StringSlice(name, nil, usage)
			default:
				f.String(name, "", usage)
			}
			words[name] = append(words[name], k.Words()...)
		}
	}
	for name, list := range words {
		complete(cmd, name, list...)
	}
}

// alsoOf adds a kind to a flag's usage: KINDS: SENTENCE; KINDS: SENTENCE.
func alsoOf(usage, kind, sentence string) string {
	parts := strings.Split(usage, "; ")
	for i, part := range parts {
		if of, says, _ := strings.Cut(part, ": "); strings.HasPrefix(says, sentence) {
			parts[i] = of + ", " + kind + ": " + says
			return strings.Join(parts, "; ")
		}
	}
	return usage + "; " + kind + ": " + sentence
}

// refuseFlags refuses what does not belong to the kind: it would be lost in silence.
func refuseFlags(flags *pflag.FlagSet, known *catalog.Kinds, all keys.Set, what string) error {
	takes := func(name string) func(keys.Key) bool { return func(k keys.Key) bool { return k.FlagName() == name } }
	for _, kind := range known.Names {
		others, _ := known.Keys(kind)
		for _, k := range others.Leaves() {
			if name := k.FlagName(); k.Asked() && flags.Changed(name) && !slices.ContainsFunc(all.Leaves(), takes(name)) {
				return fmt.Errorf("--%s is not for %s: take it out", name, what)
			}
		}
	}
	return nil
}

// answers are what flags and a person say of a destination's keys, and the lines that they make.
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
		case k.Inlined() != nil:
			err = a.set(k.Inlined())
		case k.Alternatives() != nil:
			err = a.choose(k.Alternatives())
		case k.Asked():
			err = a.key(k, ifNeeded)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// choose takes the alternative whose first key is given, or asks for one after the other.
func (a *answers) choose(sets []keys.Set) error {
	var names []string
	for i, s := range sets {
		first := s.Leaves()[0]
		names = append(names, "--"+first.FlagName())
		if !a.flags.Changed(first.FlagName()) {
			continue
		}
		for _, other := range slices.Delete(slices.Clone(sets), i, i+1) {
			for _, k := range other.Leaves() {
				if a.flags.Changed(k.FlagName()) {
					return fmt.Errorf("--%s and --%s exclude each other: take one out", first.FlagName(), k.FlagName())
				}
			}
		}
		return a.set(s)
	}
	if !a.asks {
		a.missing = append(a.missing, strings.Join(names, " or "))
		return nil
	}
	for i, s := range sets {
		first, ask := s.Leaves()[0], orNone
		if i+1 == len(sets) {
			ask = always
		}
		if err := a.key(first, ask); err != nil {
			return err
		}
		if a.given[first.Name] != "" {
			return a.set(slices.DeleteFunc(s.Leaves(), func(k keys.Key) bool { return k.Name == first.Name }))
		}
	}
	return nil
}

// An asking says when a key that has no flag is asked for.
type asking int

const (
	ifNeeded asking = iota
	orNone          // always, and no answer is an answer
	always
)

// key takes one key: from its flag; an ExternalId is made; else it is asked for.
func (a *answers) key(k keys.Key, ask asking) error {
	values, err := a.flag(k)
	switch {
	case err != nil:
		return err
	case len(values) > 0 || ask == ifNeeded && !k.Needs(a.value):
	case k.Use == keys.Binding:
		values = []string{newExternalID()}
	default:
		if values, err = a.answer(k, ask == orNone); err != nil {
			return err
		}
	}
	if len(values) > 0 {
		a.given[k.Name] = strings.Join(values, ",")
		a.lines = append(a.lines, k.Name+": "+k.YAML(values...))
	}
	return nil
}

// value is what was given for a key so far, or its default.
func (a *answers) value(key string) string {
	if given := a.given[key]; given != "" {
		return given
	}
	return a.all.Key(key).Default
}

func (a *answers) flag(k keys.Key) ([]string, error) {
	flag := a.flags.Lookup(k.FlagName())
	if !flag.Changed {
		return nil, nil
	}
	values := []string{flag.Value.String()}
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		values = list.GetSlice()
	}
	for _, v := range values {
		if err := k.Check(v); err != nil {
			return nil, fmt.Errorf("--%s: %s %w", k.FlagName(), k.Name, err)
		}
	}
	return values, nil
}

// answer asks for a key until what is typed can stand in the file.
func (a *answers) answer(k keys.Key, orNone bool) ([]string, error) {
	question := k.Name + " (" + strings.TrimSuffix(k.Sentence, ".")
	if k.Words() == nil {
		question += ", such as " + strings.Trim(k.Example(), "[]")
	}
	question += ")"
	if orNone {
		question += ", or nothing"
	}
	check := func(line string) error {
		switch {
		case line == "" && orNone:
			return nil
		case line == "":
			return errors.New("is missing")
		}
		for _, one := range split(k, line) {
			if err := k.Check(one); err != nil {
				return err
			}
		}
		return nil
	}
	line, err := a.text(k.FlagName(), question, check, "")
	return split(k, line), err
}

// split takes a list apart at its commas.
func split(k keys.Key, line string) []string {
	if !k.IsList() {
		return slices.DeleteFunc([]string{line}, func(s string) bool { return s == "" })
	}
	var list []string
	for _, one := range strings.Split(line, ",") {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
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

// text asks until check takes the answer, where nothing was given.
func (p *prompter) text(flag, question string, check func(string) error, given string) (string, error) {
	if given != "" {
		if err := check(given); err != nil {
			return "", fmt.Errorf("--%s %w", flag, err)
		}
		return given, nil
	}
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
		wrong := check(line)
		if wrong == nil {
			return line, nil
		}
		if line != "" {
			fmt.Fprintf(p.cmd.ErrOrStderr(), "%s %v\n", flag, wrong)
		}
	}
}

func (p *prompter) done() error {
	if len(p.missing) == 0 {
		return nil
	}
	return fmt.Errorf("missing: write %s, or run it on a terminal, where it asks", strings.Join(p.missing, ", "))
}
