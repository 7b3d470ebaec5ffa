package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// Traces is the outcome of [FindTraces].
type Traces struct {
	Tombstones int           `json:"tombstones"` // that were looked for
	Shards     int           `json:"shards"`
	Samples    int           `json:"samples"` // each under a key that no tombstone covers, where there is no trace
	Files      int           `json:"files"`   // others, searched for names
	Found      []shard.Fault `json:"found"`
}

// FindTraces looks for what a list names in every file of a shard set, complete or under way: in keys,
// rejects and classes, in the text of headers and of every other file. That no pixels are left follows from
// the keys: each byte of a shard belongs to its header, to a tensor of the format or to a sample, and each
// sample has a key. What can't be told so is named as a trace: bytes of no sample, and what is left of a
// build that was cut off.
//
// It does not read the pixels; [shard.Verify] does.
func FindTraces(ctx context.Context, dir string, t *manifest.Tombstones) (*Traces, error) {
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	out := &Traces{Tombstones: t.Len(), Found: []shard.Fault{}}
	found := func(file, section string, sample int, key, format string, args ...any) {
		out.Found = append(out.Found, shard.Fault{Shard: file, Section: section, Sample: sample, Key: key, Detail: fmt.Sprintf(format, args...)})
	}
	words := newWords(t)
	known := map[string]bool{lockName: true}
	for _, info := range l.shards {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		known[info.File] = true
		out.Shards++
		f, err := shard.OpenFile(filepath.Join(dir, info.File))
		if err != nil {
			found(info.File, "file", -1, "", "can't be searched: %v", err)
			continue
		}
		for i := range f.Len() {
			if key := f.Key(i); t.Covers(key) {
				found(info.File, "key", i, key, "is to be forgotten")
			}
		}
		for _, r := range f.Rejects {
			if t.Covers(r.Key) {
				found(info.File, "header", -1, r.Key, "is to be forgotten and is among the rejects")
			}
		}
		if what := words.in(f.Header(), true, true); what != "" {
			found(info.File, "header", -1, "", "names %s", what)
		}
		if loose := f.Loose(); loose != "" {
			found(info.File, "file", -1, "", "%s", loose)
		}
		out.Samples += f.Len()
		f.Close()
	}
	for _, name := range l.left {
		known[name] = true
		found(name, "file", -1, "", "is left of a build that was cut off, and may hold samples of anybody")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case known[name]:
			continue
		case !e.Type().IsRegular():
			found(name, "file", -1, "", "is no file of a set and was not searched")
			continue
		}
		out.Files++
		what, err := words.file(ctx, filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if what != "" {
			found(name, "file", -1, "", "names %s", what)
		}
	}
	return out, nil
}

// words finds identities and images in text.
type words struct {
	list    []word
	longest int
}

// word is a way in which a name may be written.
type word struct {
	form []byte
	what string
}

func newWords(t *manifest.Tombstones) *words {
	w := &words{}
	for _, s := range t.All() {
		once := escaped(s.What) // as in an index, and as in the JSON within a header's JSON
		for _, form := range []string{s.What, once, escaped(once), strings.ReplaceAll(s.What, `"`, `""`)} {
			if len(w.list) == 0 || string(w.list[len(w.list)-1].form) != form {
				w.list = append(w.list, word{[]byte(form), s.What})
				w.longest = max(w.longest, len(form))
			}
		}
	}
	return w
}

// escaped returns a text as it stands in JSON.
func escaped(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b[1 : len(b)-1])
}

// in returns the first of the names that stands in a text as a word of its own, "" where none does. begins
// and ends say whether the text is all there is before and behind.
func (w *words) in(text []byte, begins, ends bool) string {
	for _, word := range w.list {
		for at := 0; ; at++ {
			i := bytes.Index(text[at:], word.form)
			if i < 0 {
				break
			}
			at += i
			end := at + len(word.form)
			before, behind := begins, ends
			if at > 0 {
				before = !wordByte(text[at-1])
			}
			if end < len(text) {
				behind = !wordByte(text[end])
			}
			if before && behind {
				return word.what
			}
		}
	}
	return ""
}

// wordByte reports whether b goes on with a name: n000123 is not in n0001234.
func wordByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// file searches a file of any length.
func (w *words) file(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const step = 1 << 20
	buf := make([]byte, 0, step+w.longest+2)
	for begins := true; ; begins = false {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := io.ReadFull(f, buf[len(buf):len(buf)+step])
		buf = buf[:len(buf)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if what := w.in(buf, begins, last); what != "" || last {
			return what, nil
		}
		if err != nil {
			return "", err
		}
		keep := min(len(buf), w.longest+1) // a word and what stands before it
		buf = append(buf[:0], buf[len(buf)-keep:]...)
	}
}
