package report

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/capped"
)

// ErrResult says that an evaluation folder's files are not what was written.
var ErrResult = errors.New("report: damaged result")

// Bounds of an evaluation folder's files that are read.
const (
	maxResult = 16 << 20 // bytes of result.json
	maxTable  = 64 << 20 // bytes of a CSV
	maxRows   = 1 << 20
)

// result is an evaluation folder.
type result struct {
	dir   string
	name  string // of the system, for people: the run's, or the folder's
	alias string // instead, where a system has two results of one protocol
	run   *run   // nil where none was given
	raw   json.RawMessage
	field map[string]json.RawMessage
	rates string      // "far,tar" or "fpir,tpir": what the curves are of
	roc   []curve     // of the whole, or of each split or gallery
	cmc   [][]float64 // likewise: share of images by rank, from 1
	place map[string]int
}

// readResult reads a folder; the error wraps fs.ErrNotExist where it holds no result.json.
func readResult(dir string) (*result, error) {
	path := filepath.Join(dir, "result.json")
	text, err := capped.Read(path, maxResult, ErrResult)
	if err != nil {
		return nil, err
	}
	r := &result{dir: dir, name: filepath.Base(filepath.Clean(dir))}
	if r.field, err = parseResult(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.raw = text
	if run := r.text("run"); run != "" {
		r.name = run
	}
	if err := readTable(filepath.Join(dir, "roc.csv"), r.readROC); err != nil {
		return nil, err
	}
	return r, readTable(filepath.Join(dir, "cmc.csv"), r.readCMC)
}

// parseResult reads one flat object: text, numbers, true and false, null, and lists of text.
func parseResult(text []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrResult)
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("no fields: %w", ErrResult)
	}
	for name, v := range m {
		if v[0] == '{' {
			return nil, fmt.Errorf("%s: an object, want a flat result: %w", name, ErrResult)
		}
	}
	return m, nil
}

// readTable has read take a CSV's rows after its head; a file that is not there has none.
func readTable(path string, read func(head, row []string) error) error {
	f, _, err := capped.Open(path, maxTable, ErrResult)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := parseTable(io.LimitReader(f, maxTable), read); err != nil {
		return fmt.Errorf("%s:%w", path, err)
	}
	return nil
}

func parseTable(from io.Reader, read func(head, row []string) error) error {
	c := csv.NewReader(from)
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("1: no head: %w: %w", err, ErrResult)
	}
	for n := 0; ; n++ {
		row, err := c.Read()
		if err == io.EOF {
			return nil
		}
		line := n + 2
		if err == nil && n >= maxRows {
			err = fmt.Errorf("more than %d rows", maxRows)
		}
		if err == nil {
			err = read(head, row)
		}
		if err != nil {
			return fmt.Errorf("%d: %w: %w", line, err, ErrResult)
		}
	}
}

// text returns a field of text, "" where there is none.
func (r *result) text(name string) (s string) {
	if json.Unmarshal(r.field[name], &s) != nil {
		return ""
	}
	return s
}

// number returns a field that is a number.
func (r *result) number(name string) (v float64, ok bool) {
	var p *float64
	if raw := r.field[name]; raw == nil || json.Unmarshal(raw, &p) != nil || p == nil {
		return 0, false
	}
	return *p, true
}

// has reports whether a field is there, null included.
func (r *result) has(name string) bool { return r.field[name] != nil }

// The kinds of evaluation, by the fields that their results have.
const (
	identification = "identification"
	verification   = "verification"
	attributes     = "attributes"
	search         = "search"
	otherKind      = "other"
)

func (r *result) kind() string {
	switch {
	case r.has("age_mae"):
		return attributes
	case r.has("eer"):
		return verification
	case r.has("top1"):
		return identification
	case r.has("rank1"):
		return search
	}
	return otherKind
}

// protocol is the name of the question; identification has none of its own.
func (r *result) protocol() string {
	if p := r.text("protocol"); p != "" {
		return p
	}
	return r.kind()
}
