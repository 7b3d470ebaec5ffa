package main

import "github.com/urfave/cli/v2"

func (e *env) curateCommand() *cli.Command {
	return &cli.Command{
		Name:  "curate",
		Usage: "look after what a data set holds: duplicates, leaks, wrong labels, takedown",
		Subcommands: []*cli.Command{
			e.curateDuplicatesCommand(),
			e.curateLeaksCommand(),
			e.curateNoiseCommand(),
			e.curateForgetCommand(),
		},
	}
}
