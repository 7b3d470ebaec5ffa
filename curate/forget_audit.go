package curate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/manifest"
)

// AuditName is the record of what was forgotten, beside the list of tombstones: one JSON object a line.
const AuditName = "audit.jsonl"

const maxAudit = 1 << 30 // bytes

// ErrAudit says that a record of what was forgotten is damaged.
var ErrAudit = errors.New("audit")

// Entry is a line of the record. An operation writes "begin" before the first file changes, with the digests
// before, and "done" when all is on the disk, with those after. One that was cut off has no "done"; it may
// have several "begin", of which the last counts, where it is taken up with more to do.
type Entry struct {
	Event    string    `json:"event"` // "begin" or "done"
	ID       int       `json:"id"`    // of the operation, from 1
	Date     string    `json:"date"`  // UTC, of the request
	Targets  []string  `json:"targets"`
	Requests []Request `json:"requests"`         // what was found in the targets, and why it goes
	Files    []Touched `json:"files"`            // that are written anew
	Removed  []string  `json:"removed"`          // leftovers of builds that were cut off
	Photos   []string  `json:"photos,omitempty"` // deleted, below the data set's root
	Runs     []Run     `json:"runs,omitempty"`   // trainings that had seen it; of "done"
}

// Request is who asked for what.
type Request struct {
	What string `json:"what"`
	When string `json:"when"`
	Why  string `json:"why"`
}

// Touched is a file that an operation writes anew. Paths are relative to the record's directory.
type Touched struct {
	Path   string   `json:"path"`
	Before string   `json:"before"`           // digest
	After  string   `json:"after,omitempty"`  // of "done"
	Lost   int      `json:"images,omitempty"` // images that it held
	What   []string `json:"what,omitempty"`   // of a manifest, a split.json and an index.json: what it named
}

// readAudit reads the record; one that is not there is empty. What a killed process left of the last line
// is cut off where repair is set, and passed over where not.
func readAudit(path string, repair bool) ([]Entry, error) {
	text, err := capped.Read(path, maxAudit, ErrAudit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Entry
	sound := 0
	for n := 1; sound < len(text); n++ {
		end := bytes.IndexByte(text[sound:], '\n')
		if end < 0 {
			break
		}
		var e Entry
		if err := json.Unmarshal(text[sound:sound+end], &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w: %w", path, n, err, ErrAudit)
		}
		if e.Event != "begin" && e.Event != "done" || e.ID < 1 {
			return nil, fmt.Errorf("%s:%d: event %q of operation %d, want begin or done: %w", path, n, e.Event, e.ID, ErrAudit)
		}
		all = append(all, e)
		sound += end + 1
	}
	if sound < len(text) && repair {
		return all, os.Truncate(path, int64(sound))
	}
	return all, nil
}

// appendAudit adds a line and returns when it is on the disk.
func appendAudit(path string, e Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// unfinished returns the last "begin" of each operation that was cut off.
func unfinished(log []Entry) []Entry {
	open := map[int]Entry{}
	for _, e := range log {
		if e.Event == "begin" {
			open[e.ID] = e
		} else {
			delete(open, e.ID)
		}
	}
	var out []Entry
	for _, e := range open {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.ID - b.ID })
	return out
}

// take makes e the entry of an operation that goes on where b was cut off: what b says was before counts.
// It reports whether e has anything that b has not.
func (e *Entry) take(b Entry) (more bool) {
	e.ID, e.Date = b.ID, b.Date
	e.Requests, more = union(b.Requests, e.Requests, func(r Request) string { return r.What }, more)
	fresh := e.Files
	e.Files, more = union(b.Files, fresh, func(t Touched) string { return t.Path }, more)
	for _, f := range fresh {
		i := slices.IndexFunc(e.Files, func(t Touched) bool { return t.Path == f.Path })
		e.Files[i].What, more = union(e.Files[i].What, f.What, func(s string) string { return s }, more)
	}
	same := func(s string) string { return s }
	e.Removed, more = union(b.Removed, e.Removed, same, more)
	e.Photos, more = union(b.Photos, e.Photos, same, more)
	return more
}

// union returns a and what b has beyond it by key.
func union[T any](a, b []T, key func(T) string, more bool) ([]T, bool) {
	there := map[string]bool{}
	for _, v := range a {
		there[key(v)] = true
	}
	out := append(a[:0:0], a...) // nil stays nil
	for _, v := range b {
		if !there[key(v)] {
			out, more = append(out, v), true
		}
	}
	return out, more
}

// requests returns the entries of a list with these names, in the list's order.
func requests(t *manifest.Tombstones, what map[string]bool) []Request {
	out := []Request{}
	for _, s := range t.All() {
		if what[s.What] {
			out = append(out, Request{s.What, s.When, s.Why})
		}
	}
	return out
}
