// Package journal keeps what a long job has safely on the disk: one line a fact, in one file that
// only grows.
//
// Each line is the CRC-32C of the rest in 8 hex digits, a space and one JSON object; the first
// names the job. What a killed process or a loss of power left of the last line is cut off when the
// journal is opened again.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maxLine is the longest line that is read, in bytes.
const maxLine = 64 << 20

// Journal is open for appending. Its methods may be called by many goroutines.
type Journal struct {
	mu sync.Mutex
	f  *os.File
}

type title struct {
	Job string `json:"job"`
}

// Open opens or begins the journal of a job and gives take every fact that is there, in order,
// as JSON. The journal of another job, or one that take calls wrong, is begun anew, so take must
// be ready to forget: begun says that there is nothing.
func Open(path, job string, take func(fact []byte) error) (j *Journal, begun bool, err error) {
	sound, err := Read(path, job, take)
	if err != nil {
		return nil, false, err
	}
	if sound == 0 {
		begun = true
		// Cut off, it would be begun anew.
		if err := os.WriteFile(path, line(title{job}), 0o644); err != nil {
			return nil, false, err
		}
	} else if err := os.Truncate(path, sound); err != nil {
		return nil, false, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, false, err
	}
	return &Journal{f: f}, begun, nil
}

// Read gives take what Open would, and changes nothing. It returns the bytes of the sound lines, 0
// where there are none, they are of another job or take calls one wrong.
func Read(path, job string, take func([]byte) error) (sound int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 0, 1<<16), maxLine)
	s.Split(wholeLines)
	for s.Scan() {
		text, ok := parse(s.Bytes())
		if !ok {
			return sound, nil
		}
		if sound == 0 {
			var t title
			if json.Unmarshal(text, &t) != nil || t.Job != job {
				return 0, nil
			}
		} else if take(text) != nil {
			return 0, nil
		}
		sound += int64(len(s.Bytes())) + 1
	}
	if err := s.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return 0, err
	}
	return sound, nil
}

// wholeLines splits at newlines; what follows the last one is nothing.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF {
		return len(data), nil, io.EOF
	}
	return 0, nil, nil
}

func parse(line []byte) (text []byte, ok bool) {
	sum, text, ok := bytes.Cut(line, []byte{' '})
	return text, ok && string(sum) == fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli))
}

func line(fact any) []byte {
	text, err := json.Marshal(fact)
	if err != nil {
		panic(err) // plain fields
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
}

// Add writes a fact and returns when it is on the disk.
func (j *Journal) Add(fact any) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.f.Write(line(fact)); err != nil {
		return err
	}
	return j.f.Sync()
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
