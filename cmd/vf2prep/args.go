package main

import (
	"slices"
	"strings"
)

// namesFirst are the commands whose arguments are written before their flags.
var namesFirst = []string{"curate forget", "import mxnet-rec"}

// namesLast moves the names that stand between such a command and its flags behind them, where the flag
// library wants them.
func namesLast(args []string) []string {
	if len(args) < 4 || !slices.Contains(namesFirst, args[1]+" "+args[2]) {
		return args
	}
	flags := 3
	for flags < len(args) && !strings.HasPrefix(args[flags], "-") {
		flags++
	}
	return slices.Concat(args[:3], args[flags:], args[3:flags])
}
