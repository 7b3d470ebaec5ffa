// Vf2prep prepares VGGFace2 and launches training on it: one verb a step, from the raw tree to
// a report. Run "vf2prep help" for the verbs.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for a clean end
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns its exit code. Results go to stdout, all else to
// stderr. Cancelling ctx is the user's Ctrl-C.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	if args[len(args)-1] == "--generate-bash-completion" {
		// Asked to complete a line with a mistake in it, the flag library follows a nil pointer.
		defer func() {
			if recover() != nil {
				code = exitUsage
			}
		}()
	}
	e := &env{stdin: stdin, stdout: &sink{w: stdout}, stderr: stderr}
	if len(args) == 4 && args[1] == "help" { // help VERB SUBVERB is VERB help SUBVERB to the flag library
		args = []string{args[0], args[2], "help", args[3]}
	}
	err := app(e).RunContext(ctx, namesLast(args))
	return e.exitCode(ctx, err)
}

func app(e *env) *cli.App {
	return &cli.App{
		Name:                   "vf2prep",
		Usage:                  "prepare VGGFace2 for training, and train on it",
		Version:                version(),
		Reader:                 e.stdin,
		Writer:                 e.stdout,
		ErrWriter:              e.stderr,
		HideHelpCommand:        false,
		EnableBashCompletion:   true,
		UseShortOptionHandling: true,
		// "--boxes a,b.csv" is one file; repeatable flags are repeated.
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // run turns errors into exit codes
		CommandNotFound:           e.unknownCommand,
		CustomAppHelpTemplate:     cli.AppHelpTemplate + exitCodes,
		Commands:                  e.commands(),
	}
}

// commands lists the verbs in the order of the work.
func (e *env) commands() []*cli.Command {
	return prepare(e, []*cli.Command{
		e.synthCommand(),
		e.manifestCommand(),
		e.curateCommand(),
		e.splitCommand(),
		e.cacheCommand(),
		e.exportCommand(),
		e.importCommand(),
		e.augmentCommand(),
		e.trainCommand(),
		e.runsCommand(),
		e.embedCommand(),
		e.evalCommand(),
		e.reportCommand(),
		e.modelCommand(),
		e.recipeCommand(),
		e.demoCommand(),
		e.doctorCommand(),
		e.completionCommand(),
	})
}
