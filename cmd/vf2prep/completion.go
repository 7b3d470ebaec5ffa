package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself, by the flag library's hidden --generate-bash-completion, so
// they never get old. A lone "-" asks for flags; the shell picks those that fit what was typed
// ("--" itself would end the flags). Nothing that was typed is evaluated again.
const (
	bashCompletion = `# bash completion of vf2prep
_vf2prep() {
    local cur=${COMP_WORDS[COMP_CWORD]}
    local typed=("${COMP_WORDS[@]:0:COMP_CWORD}")
    typed[0]=${typed[0]/#\~/$HOME}
    [[ $cur == -* ]] && typed+=(-)
    COMPREPLY=($(compgen -W "$("${typed[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur"))
}
complete -o bashdefault -o default -F _vf2prep vf2prep
`
	zshCompletion = `#compdef vf2prep
# zsh completion of vf2prep
_vf2prep() {
    local cur=${words[CURRENT]}
    local -a typed found
    typed=("${words[@]:0:$((CURRENT - 1))}")
    typed[1]=${typed[1]/#\~/$HOME}
    [[ $cur == -* ]] && typed+=(-)
    found=("${(@f)$(env 0=zsh "${typed[@]}" --generate-bash-completion 2>/dev/null)}")
    if [[ -n ${found[1]} ]]; then
        _describe vf2prep found
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _vf2prep ]]; then
    _vf2prep "$@"
else
    compdef _vf2prep vf2prep
fi
`
	// The flag library's own script for fish mixes the flags of verbs that have one name, such as
	// cache verify and eval verify.
	fishCompletion = `# fish completion of vf2prep
function __vf2prep_complete
    set -l typed (commandline -opc)
    set -l cur (commandline -ct)
    set typed[1] (string replace -r '^~' $HOME -- $typed[1])
    string match -q -- '-*' $cur; and set -a typed -
    env 0=zsh $typed --generate-bash-completion 2>/dev/null | string replace ':' \t
end
complete -c vf2prep -e
complete -c vf2prep -n 'test -n "$(__vf2prep_complete)"' -f -a '(__vf2prep_complete)'
`
)

func (e *env) completionCommand() *cli.Command {
	shell := func(name, script, examples string) *cli.Command {
		return &cli.Command{
			Name:        name,
			Usage:       "print the completion script for " + name,
			Description: examples,
			Action: func(c *cli.Context) error {
				return e.result(c, map[string]string{"shell": name, "script": script}, func(w io.Writer) { fmt.Fprint(w, script) })
			},
		}
	}
	return &cli.Command{
		Name:  "completion",
		Usage: "let the shell complete verbs and flags",
		Subcommands: []*cli.Command{
			shell("bash", bashCompletion, `Write the script where bash looks for completions, or source it in this shell alone.

Examples:
  vf2prep completion bash > ~/.local/share/bash-completion/completions/vf2prep
  source <(vf2prep completion bash)`),
			shell("zsh", zshCompletion, `Write the script into a directory of $fpath and start zsh anew, or source it in this shell alone.

Examples:
  vf2prep completion zsh > "${fpath[1]}/_vf2prep"
  source <(vf2prep completion zsh)`),
			shell("fish", fishCompletion, `Write the script where fish looks for completions, or source it in this shell alone.

Examples:
  vf2prep completion fish > ~/.config/fish/completions/vf2prep.fish
  vf2prep completion fish | source`),
		},
	}
}
