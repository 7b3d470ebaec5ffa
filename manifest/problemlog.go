package manifest

import (
	"errors"
	"fmt"
	"strings"
)

// maxExamples is how many occurrences of a problem are told in full; all are counted.
const maxExamples = 5

// maxDetail bounds what an example quotes of a file, in bytes.
const maxDetail = 200

// Problem is one thing that did not fit.
type Problem struct {
	Code   string `json:"code"`
	File   string `json:"file,omitempty"` // relative to the root, or a base name
	Line   int    `json:"line,omitempty"` // from 1
	Detail string `json:"detail"`
}

// String returns "loose_bb_train.csv:1207: W: "abc" is not a number".
func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Detail
	case p.Line == 0:
		return p.File + ": " + p.Detail
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Detail)
}

// problemLog counts problems and keeps the first examples of each.
type problemLog struct {
	counts   map[string]int64
	examples map[string][]Problem
}

func newProblemLog() *problemLog {
	return &problemLog{map[string]int64{}, map[string][]Problem{}}
}

func (l *problemLog) add(code, file string, line int, format string, args ...any) {
	l.counts[code]++
	l.example(code, file, line, format, args...)
}

// example keeps an example of a problem that is counted elsewhere, on its record.
func (l *problemLog) example(code, file string, line int, format string, args ...any) {
	if len(l.examples[code]) < maxExamples {
		d := fmt.Sprintf(format, args...)
		if len(d) > maxDetail {
			d = d[:maxDetail] + "..."
		}
		l.examples[code] = append(l.examples[code], Problem{code, file, line, strings.ToValidUTF8(d, "\uFFFD")})
	}
}

// merge adds what another log holds.
func (l *problemLog) merge(o *problemLog) {
	for code, n := range o.counts {
		l.counts[code] += n
	}
	for code, ex := range o.examples {
		for _, p := range ex {
			if len(l.examples[code]) < maxExamples {
				l.examples[code] = append(l.examples[code], p)
			}
		}
	}
}

// err makes an error of the problem.
func (p Problem) err() error { return errors.New(p.String()) }
