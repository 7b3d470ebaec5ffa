package main

import "github.com/urfave/cli/v2"

func (e *env) curateCommand() *cli.Command {
	return &cli.Command{
		Name:  "curate",
		Usage: "look after what a data set holds",
		Subcommands: []*cli.Command{
			e.curateForgetCommand(),
		},
	}
}
