package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
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
	unknown        string // a verb that does not exist
}

// codeError carries the exit code that an error asks for.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// incomplete says that a command finished but left out more than it was allowed to.
func incomplete(format string, args ...any) error {
	return &codeError{exitIncomplete, fmt.Errorf(format, args...)}
}

// usage says that the command line itself is wrong.
func usage(format string, args ...any) error {
	return &codeError{exitUsage, fmt.Errorf(format, args...)}
}

func usageError(c *cli.Context, err error, _ bool) error {
	return &codeError{exitUsage, err}
}

func (e *env) unknownCommand(c *cli.Context, name string) { e.unknown = name }

func (e *env) exitCode(ctx context.Context, err error) int {
	if err == nil {
		if e.unknown != "" {
			fmt.Fprintf(e.stderr, "vf2prep: no command %q\nhint: run \"vf2prep help\"\n", e.unknown)
			return exitUsage
		}
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		fmt.Fprintln(e.stderr, "vf2prep: interrupted\nhint: run the same command again to go on")
		return exitInterrupted
	}
	fmt.Fprintf(e.stderr, "vf2prep: %v\n", err)
	if coded := (*codeError)(nil); errors.As(err, &coded) {
		if coded.code == exitUsage {
			fmt.Fprintln(e.stderr, "hint: run the command with --help")
		}
		return coded.code
	}
	// The flag library's own complaint about flags that must be given has no type of its own.
	if strings.HasPrefix(err.Error(), "Required flag") {
		fmt.Fprintln(e.stderr, "hint: run the command with --help")
		return exitUsage
	}
	return exitFailed
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
			if err := applyConfig(ctx); err != nil {
				return err
			}
			for _, name := range required {
				if !ctx.IsSet(name) {
					return usage("%s: --%s is missing", ctx.Command.HelpName, name)
				}
			}
			if ctx.Args().Present() && ctx.Command.ArgsUsage == "" {
				return usage("%s: takes no argument, found %q", ctx.Command.HelpName, ctx.Args().First())
			}
			return action(ctx)
		}
	}
	return cmds
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
		return usage("%s: no command %q", c.Command.HelpName, c.Args().First())
	}
	return cli.ShowSubcommandHelp(c)
}

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// applyConfig sets the flags that --config names and the command line does not.
func applyConfig(c *cli.Context) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return usage("--config: %w", err)
	}
	if info.Size() > maxConfig {
		return usage("--config: %s: %d bytes, at most %d are read", path, info.Size(), maxConfig)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return usage("--config: %w", err)
	}
	var values yaml.MapSlice
	if err := yaml.Unmarshal(text, &values); err != nil {
		return usage("--config: %s: %w", path, err)
	}
	for _, item := range values {
		name := strings.ReplaceAll(fmt.Sprint(item.Key), "_", "-")
		if name == "config" || !hasFlag(c.Command, name) {
			return usage("--config: %s: %s has no flag %q", path, c.Command.HelpName, name)
		}
		if c.IsSet(name) {
			continue
		}
		list, ok := item.Value.([]any)
		if !ok {
			list = []any{item.Value}
		}
		for _, v := range list {
			if err := c.Set(name, fmt.Sprint(v)); err != nil {
				return usage("--config: %s: %s: %w", path, name, err)
			}
		}
	}
	return nil
}

func hasFlag(c *cli.Command, name string) bool {
	for _, f := range c.Flags {
		for _, n := range f.Names() {
			if n == name {
				return true
			}
		}
	}
	return false
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
