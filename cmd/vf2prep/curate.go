package main

import "github.com/urfave/cli/v2"

func (e *env) curateCommand() *cli.Command {
	return &cli.Command{
		Name:  "curate",
		Usage: "find what is wrong with a data set that is otherwise well formed",
		Subcommands: []*cli.Command{
			e.curateDuplicatesCommand(),
			e.curateLeaksCommand(),
			e.curateNoiseCommand(),
		},
	}
}
