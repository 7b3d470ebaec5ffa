package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/doctor"
)

func (e *env) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "look at the machine, the data set and the shards, and say what will be in the way",
		Description: `Examples:
  vf2prep doctor
  vf2prep doctor --root DIR --out shards/`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "root", Usage: "the data set's `DIR`"},
			&cli.StringFlag{Name: "shards", Usage: "a shard set's `DIR`"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` where shards or runs shall go", Value: "."},
		},
		Action: func(c *cli.Context) error {
			checks := doctor.Run(c.Context, doctor.Options{Root: c.String("root"), Shards: c.String("shards"), Out: c.String("out")})
			failed := false
			for _, k := range checks {
				failed = failed || k.State == doctor.Failure
			}
			err := e.result(c, map[string]any{"checks": checks, "ok": !failed}, func(w io.Writer) {
				for _, k := range checks {
					fmt.Fprintf(w, "%-8s %-24s %s\n", k.State, k.Name, k.Found)
					if k.Advice != "" {
						fmt.Fprintf(w, "         %-24s %s\n", "", k.Advice)
					}
				}
			})
			if err == nil && failed {
				err = errors.New("something needs mending first")
			}
			return err
		},
	}
}
