package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// catalogFiles is a catalog on disk, as people edit it.
type catalogFiles struct {
	catalog.Folder
	kinds *catalog.Kinds
}

func catalogFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "catalog", "", "folder with carnet.yaml and tenants/ (default $CARNET_CATALOG)")
}

// openCatalog finds the folder. A catalog in a bucket is a copy of files that people keep
// elsewhere: those are what is read and edited here.
func openCatalog(dir string) (catalogFiles, error) {
	if dir == "" {
		dir = os.Getenv("CARNET_CATALOG")
	}
	switch {
	case dir == "":
		return catalogFiles{}, errors.New("no catalog: write --catalog FOLDER, or set CARNET_CATALOG")
	case strings.Contains(dir, "://"):
		return catalogFiles{}, fmt.Errorf("%s is a bucket, which holds a copy: write --catalog with the folder that it is made from", dir)
	}
	return catalogFiles{catalog.Folder{Dir: dir}, kinds.All().Catalog()}, nil
}

func (c catalogFiles) operator(ctx context.Context) (*catalog.Operator, error) {
	text, _, err := c.Read(ctx, "carnet.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the operator's file: %w: write --catalog, or set CARNET_CATALOG, to the folder that has carnet.yaml in it", err)
	}
	return catalog.ParseOperator("carnet.yaml", text)
}

func tenantFile(name string) string { return path.Join("tenants", name+".yaml") }

func (c catalogFiles) tenant(ctx context.Context, name string) (*catalog.Tenant, error) {
	text, _, err := c.Read(ctx, tenantFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the catalog has no tenant %q: it has %s", name, c.named(ctx))
	}
	if err != nil {
		return nil, err
	}
	return c.kinds.ParseTenant(tenantFile(name), text)
}

func (c catalogFiles) named(ctx context.Context) string {
	names, err := c.Tenants(ctx)
	if err != nil || len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// destinationArg reads TENANT/DESTINATION.
func destinationArg(arg string) (tenant, destination string, err error) {
	tenant, destination, ok := strings.Cut(arg, "/")
	if !ok || !catalog.ValidName(tenant) || !catalog.ValidName(destination) {
		return "", "", fmt.Errorf("%q: write TENANT/DESTINATION, such as acme/lake", arg)
	}
	return tenant, destination, nil
}

// tenantArg reads TENANT or TENANT/DESTINATION.
func tenantArg(arg string) (tenant, destination string, err error) {
	if strings.Contains(arg, "/") {
		return destinationArg(arg)
	}
	if !catalog.ValidName(arg) {
		return "", "", fmt.Errorf("%q: write TENANT or TENANT/DESTINATION, such as acme or acme/lake", arg)
	}
	return arg, "", nil
}

// completeDestinations completes TENANT/DESTINATION where a catalog is known.
func completeDestinations(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return known(cmd, args, false), cobra.ShellCompDirectiveNoFileComp
}

// completeTenants completes tenants' names too.
func completeTenants(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return known(cmd, args, true), cobra.ShellCompDirectiveNoFileComp
}

func known(cmd *cobra.Command, args []string, tenants bool) []string {
	dir, _ := cmd.Flags().GetString("catalog")
	c, err := openCatalog(dir)
	if err != nil || len(args) > 0 {
		return nil
	}
	names, err := c.Tenants(cmd.Context())
	if err != nil {
		return nil
	}
	var list []string
	for _, name := range names {
		if tenants {
			list = append(list, name)
		}
		if t, err := c.tenant(cmd.Context(), name); err == nil {
			for d := range t.Destinations {
				list = append(list, name+"/"+d)
			}
		}
	}
	slices.Sort(list)
	return list
}

// complete offers a flag's words.
func complete(cmd *cobra.Command, flag string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is not there
	}
}
