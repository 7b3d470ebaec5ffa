package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/recipes"
)

func (e *env) recipeCommand() *cli.Command {
	return &cli.Command{
		Name:  "recipe",
		Usage: "trainings of the literature, as files for train --config",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list the recipes",
				Description: `Examples:
  vf2prep recipe list`,
				Action: e.recipeList,
			},
			{
				Name:      "show",
				Usage:     "print a recipe",
				ArgsUsage: "NAME",
				Description: `Give the file to train --config, with --shards and --out; flags on the command line win over the file's.

Examples:
  vf2prep recipe show vggface2-senet50-c > senet50.yaml`,
				Action: e.recipeShow,
			},
		},
	}
}

func (e *env) recipeList(c *cli.Context) error {
	all := recipes.All()
	return e.result(c, map[string]any{"recipes": all}, func(w io.Writer) {
		for _, r := range all {
			fmt.Fprintf(w, "%-26s %s\n", r.Name, r.Title)
		}
	})
}

func (e *env) recipeShow(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("recipe show takes one name; recipe list has them")
	}
	r, err := recipes.Get(c.Args().First())
	if err != nil {
		return usage("%w", err)
	}
	return e.result(c, r, func(w io.Writer) { io.WriteString(w, r.Text) })
}
