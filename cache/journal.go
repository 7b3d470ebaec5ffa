package cache

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/shard"
)

// journalName is the record of what a build under way has safely on the disk. Each line is the
// CRC-32C of the rest in 8 hex digits, a space and one JSON object; the first names the build.
const journalName = "build.journal"

// entry is a line of the journal.
type entry struct {
	Build   string      `json:"build,omitempty"`   // first line: which build this is
	Shard   *shard.Info `json:"shard,omitempty"`   // a shard that has its name
	Partial string      `json:"partial,omitempty"` // a file of samples of an unfinished shard ...
	Bytes   int64       `json:"bytes,omitempty"`   // ... that is on the disk up to here
	Read    bool        `json:"read,omitempty"`    // every archive was read to its end ...
	Again   bool        `json:"again,omitempty"`   // ... and has to be read again
}

// journal is open for appending. Its methods may be called by many goroutines.
type journal struct {
	mu sync.Mutex
	f  *os.File
}

// past is what a journal says of the runs before.
type past struct {
	shards   map[string]shard.Info
	partials map[string]int64
	read     bool
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openJournal opens or begins the journal of a build. What a killed process or a loss of power
// left of its last line is cut off; the journal of another build is begun anew.
func openJournal(dir, build string) (*journal, *past, error) {
	path := filepath.Join(dir, journalName)
	was := &past{map[string]shard.Info{}, map[string]int64{}, false}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	sound := 0
	for sound < len(text) {
		end := bytes.IndexByte(text[sound:], '\n')
		if end < 0 {
			break
		}
		e, ok := parseEntry(text[sound : sound+end])
		if !ok || sound == 0 && e.Build != build {
			break
		}
		sound += end + 1
		switch {
		case e.Shard != nil:
			was.shards[e.Shard.File] = *e.Shard
		case e.Partial != "":
			was.partials[e.Partial] = e.Bytes
		case e.Read, e.Again:
			was.read = e.Read
		}
	}
	if sound == 0 { // none, or not ours
		if err := atomicfile.Bytes(path, entryLine(entry{Build: build})); err != nil {
			return nil, nil, err
		}
	} else if sound < len(text) {
		if err := os.Truncate(path, int64(sound)); err != nil {
			return nil, nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, err
	}
	return &journal{f: f}, was, nil
}

func parseEntry(line []byte) (e entry, ok bool) {
	sum, text, ok := bytes.Cut(line, []byte{' '})
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) || json.Unmarshal(text, &e) != nil {
		return entry{}, false
	}
	return e, true
}

func entryLine(e entry) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // plain fields
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
}

// add writes entries and returns when they are on the disk.
func (j *journal) add(entries ...entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := bufio.NewWriter(j.f)
	for _, e := range entries {
		w.Write(entryLine(e))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return j.f.Sync()
}

func (j *journal) close() { j.f.Close() }
