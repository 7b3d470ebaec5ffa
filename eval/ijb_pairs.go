package eval

import (
	"bytes"
	"fmt"
	"io"
)

// TemplatePair is two templates to compare.
type TemplatePair struct {
	A, B    int32 // template ids
	Genuine bool  // one subject; of IJB-A's files the subjects say it, not the pair
}

// ReadComparisons reads IJB-A's verify_comparisons_N.csv: lines "template,template", with or
// without a head. Genuine is false in all of them. Errors say the line and wrap [ErrProtocolFile].
func ReadComparisons(r io.Reader) ([]TemplatePair, error) {
	p := newProtocolLines(r)
	var out []TemplatePair
	first := true
	for b := p.next(); b != nil; b = p.next() {
		head := first && !(b[0] >= '0' && b[0] <= '9' || b[0] == '"' && len(b) > 1 && b[1] >= '0' && b[1] <= '9' || b[0] == '-')
		first = false
		f := commaFields(b)
		if len(f) != 2 {
			return nil, p.failf("%d fields, want two template ids", len(f))
		}
		if head {
			continue
		}
		pair, err := templatePair(f[0], f[1], len(out))
		if err != nil {
			return nil, p.fail(err)
		}
		out = append(out, pair)
	}
	return out, p.end(len(out), "rows")
}

// ReadTemplatePairs reads a *_template_pair_label.txt of IJB-B or IJB-C: lines "template template
// label", separated by spaces, where 1 is one subject and 0 is two. Errors say the line and wrap
// [ErrProtocolFile].
func ReadTemplatePairs(r io.Reader) ([]TemplatePair, error) {
	p := newProtocolLines(r)
	var out []TemplatePair
	for b := p.next(); b != nil; b = p.next() {
		f := bytes.Fields(b)
		if len(f) != 3 {
			return nil, p.failf("%d fields, want template, template and label", len(f))
		}
		pair, err := templatePair(string(f[0]), string(f[1]), len(out))
		if err != nil {
			return nil, p.fail(err)
		}
		switch string(f[2]) {
		case "1":
			pair.Genuine = true
		case "0":
		default:
			return nil, p.failf("label: %.40q, want 0 or 1", f[2])
		}
		out = append(out, pair)
	}
	return out, p.end(len(out), "rows")
}

func templatePair(a, b string, n int) (TemplatePair, error) {
	if n == maxProtocolPairs {
		return TemplatePair{}, fmt.Errorf("more than %d pairs", maxProtocolPairs)
	}
	x, err := protocolID(a, "template id")
	if err != nil {
		return TemplatePair{}, err
	}
	y, err := protocolID(b, "template id")
	return TemplatePair{A: int32(x), B: int32(y)}, err
}
