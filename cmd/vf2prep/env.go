package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/internal/progress"
)

// Exit codes, the same for every command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitInterrupted = 130
)

const exitCodes = `
EXIT CODES:
   0    done
   1    failed, or problems were found
   2    wrong usage
   3    finished but incomplete: more items were rejected than allowed
   130  interrupted; run the same command again to go on
`

// env is what a command sees of the world outside.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	unknown        error // a verb that does not exist
}

// sink is stdout; it remembers that the results could not be written, as on a full disk.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

// codeError carries the exit code that an error asks for.
type codeError struct {
	code int
	err  error
	hint string // what to do about it
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// incomplete says that a command finished but left out more than it was allowed to.
func incomplete(format string, args ...any) error {
	return &codeError{exitIncomplete, fmt.Errorf(format, args...), ""}
}

// usage says that the command line itself is wrong.
func usage(format string, args ...any) error {
	return &codeError{exitUsage, fmt.Errorf(format, args...), "run the command with --help"}
}

// usageError turns the flag library's complaint about one flag into ours.
func usageError(c *cli.Context, err error, _ bool) error {
	hint := fmt.Sprintf("run %q", c.Command.HelpName+" --help")
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		err = fmt.Errorf("%s: no flag --%s", c.Command.HelpName, strings.TrimLeft(name, "-"))
		if like := closest(strings.TrimLeft(name, "-"), flagNames(c.Command)); like != "" {
			hint = fmt.Sprintf("did you mean --%s?", like)
		}
	}
	return &codeError{exitUsage, err, hint}
}

func (e *env) unknownCommand(c *cli.Context, name string) {
	e.unknown = noCommand(c.App.Name, name, c.App.Commands)
}

// noCommand is the error for a verb that does not exist.
func noCommand(parent, name string, there []*cli.Command) *codeError {
	var names []string
	for _, c := range there {
		names = append(names, c.Names()...)
	}
	hint := fmt.Sprintf("run %q", parent+" --help")
	if like := closest(name, names); like != "" {
		hint = fmt.Sprintf("did you mean %q?", parent+" "+like)
	}
	return &codeError{exitUsage, fmt.Errorf("%s: no command %q", parent, name), hint}
}

func (e *env) exitCode(ctx context.Context, err error) int {
	if err == nil {
		err = e.unknown
	}
	if out, ok := e.stdout.(*sink); ok && err == nil && out.err != nil {
		err = fmt.Errorf("standard output: %w", out.err)
	}
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		fmt.Fprintln(e.stderr, "vf2prep: interrupted\nhint: run the same command again to go on")
		return exitInterrupted
	}
	text := err.Error()
	if !strings.HasPrefix(text, "vf2prep ") && !strings.HasPrefix(text, "vf2prep: ") { // usage errors begin with the command's name
		text = "vf2prep: " + text
	}
	fmt.Fprintln(e.stderr, text)
	code, hint := exitFailed, ""
	if coded := (*codeError)(nil); errors.As(err, &coded) {
		code, hint = coded.code, coded.hint
	} else if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		hint = "what is finished stays: make room and run the same command again"
	}
	if hint != "" {
		fmt.Fprintf(e.stderr, "hint: %s\n", hint)
	}
	return code
}

// progress returns the Reporter of a command: silent under --quiet.
func (e *env) progress(c *cli.Context) progress.Reporter {
	if c.Bool("quiet") {
		return nil
	}
	return progress.New(e.stderr)
}

// hint names the next command, on stderr.
func (e *env) hint(c *cli.Context, format string, args ...any) {
	if !c.Bool("quiet") && !c.Bool("json") {
		fmt.Fprintf(e.stderr, "hint: "+format+"\n", args...)
	}
}

// result prints v as one JSON object under --json, else what text writes.
func (e *env) result(c *cli.Context, v any, text func(w io.Writer)) error {
	if !c.Bool("json") {
		text(e.stdout)
		return nil
	}
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// prepare gives every command that does something the flags and the help that all share.
func prepare(e *env, cmds []*cli.Command) []*cli.Command {
	for _, c := range cmds {
		c.OnUsageError = usageError
		if len(c.Subcommands) > 0 {
			prepare(e, c.Subcommands)
			c.CustomHelpTemplate = cli.SubcommandHelpTemplate + exitCodes
			c.Description = firstExamples(c)
			if c.Action == nil {
				c.Action = e.needSubcommand
			}
			continue
		}
		c.CustomHelpTemplate = cli.CommandHelpTemplate + exitCodes
		c.Flags = append(c.Flags,
			&cli.BoolFlag{Name: "json", Usage: "print the result as one JSON object"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress and no hints"},
			&cli.StringFlag{Name: "config", Usage: "read flags from `FILE.yaml`, a map of flag names to values; flags on the command line win"},
		)
		action := c.Action
		required := takeRequired(c.Flags)
		c.Action = func(ctx *cli.Context) error {
			if ctx.Args().Present() && ctx.Command.ArgsUsage == "" {
				return usage("%s: takes no argument, found %q", ctx.Command.HelpName, ctx.Args().First())
			}
			if err := applyConfig(ctx); err != nil {
				return err
			}
			for _, name := range required {
				if !ctx.IsSet(name) {
					return usage("%s: --%s is missing", ctx.Command.HelpName, name)
				}
			}
			return action(ctx)
		}
	}
	return cmds
}

// firstExamples are the examples of a command that only has subcommands: the first of each.
func firstExamples(c *cli.Command) string {
	text := "Examples:"
	for _, sub := range c.Subcommands {
		for line := range strings.Lines(sub.Description) {
			if strings.HasPrefix(line, "  vf2prep ") {
				text += "\n" + strings.TrimRight(line, "\n")
				break
			}
		}
	}
	return text
}

// takeRequired lists the flags that must be given and lifts the flag library's own check, which
// would run before --config is read.
func takeRequired(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		if r, ok := f.(cli.RequiredFlag); !ok || !r.IsRequired() {
			continue
		}
		names = append(names, f.Names()[0])
		switch f := f.(type) {
		case *cli.StringFlag:
			f.Required = false
		case *cli.IntFlag:
			f.Required = false
		case *cli.PathFlag:
			f.Required = false
		case *cli.StringSliceFlag:
			f.Required = false
		}
	}
	return names
}

func (e *env) needSubcommand(c *cli.Context) error {
	if c.Args().Present() {
		return noCommand(c.Command.HelpName, c.Args().First(), c.Command.Subcommands)
	}
	var names []string
	for _, sub := range c.Command.Subcommands {
		if sub.Name != "help" {
			names = append(names, sub.Name)
		}
	}
	return &codeError{exitUsage, fmt.Errorf("%s: which one: %s?", c.Command.HelpName, strings.Join(names, ", ")),
		fmt.Sprintf("run %q", c.Command.HelpName+" --help")}
}

// version is the module's version where Go knows it, else "devel".
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "devel"
}

// size writes a number of bytes for people.
func size(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < 4 {
		v /= unit
		i++
	}
	return fmt.Sprintf("%.1f %cB", v, "kMGTP"[i])
}

// sortedKeys returns a map's keys in order, so that output is.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
