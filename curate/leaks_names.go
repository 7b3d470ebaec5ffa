package curate

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vf2prep/vf2prep/internal/capped"
)

// ErrNames says that a file is no list of names.
var ErrNames = errors.New("not a list of names")

// Bounds of a list of names: MS1M's 100,000 take 3 MB.
const (
	maxNames    = 256 << 20 // bytes
	maxNameLine = 4096      // bytes
)

// ReadPeople reads whom a benchmark shows, each name once and sorted, from
//
//   - a folder: the names of the folders in it, one a person, as LFW has them;
//   - a CSV file and one of its columns;
//   - any other file: a name a line, or several between tabs, or between blanks or commas where numbers are
//     between them too, which are no names: LFW's people.txt and pairs.txt, YouTube Faces' splits.txt,
//     path1,path2,same, "0000045 Michael_Douglas". Of "Aaron_Eckhart_0001.jpg" the number and the ending are left
//     off; of a path it is the folder that has the name. What follows a # at the start of a line
//     is a comment.
//
// Errors name the line and wrap [ErrNames].
func ReadPeople(path, column string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var out []string
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() {
				out = append(out, e.Name())
			}
		}
	} else {
		f, _, err := capped.Open(path, maxNames, ErrNames)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		read := readNameLines
		if column != "" {
			read = func(r io.Reader) ([]string, error) { return readNameColumn(r, column) }
		}
		if out, err = read(io.LimitReader(f, maxNames)); err != nil {
			return nil, fmt.Errorf("%s:%w", path, err)
		}
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) == 0 {
		return nil, fmt.Errorf("%s: no name in it: %w", filepath.ToSlash(path), ErrNames)
	}
	return out, nil
}

// imageName is what a file adds to a name.
var imageName = regexp.MustCompile(`(?i)(_\d+)?\.(jpe?g|png|bmp)$`)

func readNameLines(r io.Reader) (out []string, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 1024), maxNameLine)
	line := 0
	for s.Scan() {
		line++
		text := strings.TrimPrefix(s.Text(), "\ufeff")
		if strings.HasPrefix(text, "#") {
			continue
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("%d: %.60q is no text: %w", line, text, ErrNames)
		}
		for _, field := range nameFields(text) {
			out = appendName(out, field)
		}
	}
	if s.Err() != nil {
		return nil, fmt.Errorf("%d: %w: %w", line+1, s.Err(), ErrNames)
	}
	return out, nil
}

// nameFields cuts a line into what may be names: "Doe, Jane" and "Jane Doe" are one.
func nameFields(text string) []string {
	if strings.Contains(text, "\t") {
		return strings.Split(text, "\t")
	}
	for _, cut := range []func(string) []string{func(s string) []string { return strings.Split(s, ",") }, strings.Fields} {
		fields, numbers, whole := cut(text), 0, false
		for _, f := range fields {
			if !strings.ContainsFunc(f, unicode.IsLetter) {
				numbers++
			}
			whole = whole || strings.Contains(f, "_")
		}
		// Two numbers, or one beside a name that needs no blank: "Louis 14" stays whole.
		if numbers >= 2 || numbers == 1 && whole {
			return fields
		}
	}
	return []string{text}
}

// appendName appends what has a letter in it.
func appendName(out []string, field string) []string {
	field = strings.Trim(field, " \t\r\"")
	if at := strings.LastIndexByte(field, '/'); at > 0 && (imageName.MatchString(field) || !strings.ContainsFunc(field[at:], unicode.IsLetter)) {
		field = path.Base(field[:at])
	}
	field = imageName.ReplaceAllString(field, "")
	if strings.ContainsFunc(field, unicode.IsLetter) {
		return append(out, field)
	}
	return out
}

func readNameColumn(r io.Reader, column string) (out []string, err error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord, c.LazyQuotes, c.TrimLeadingSpace, c.ReuseRecord = -1, true, true, true
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("1: no head: %w: %w", err, ErrNames)
	}
	at := slices.IndexFunc(head, func(h string) bool {
		return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")), column)
	})
	if at < 0 {
		return nil, fmt.Errorf("1: columns %q, want %q: %w", head, column, ErrNames)
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrNames)
		}
		if at < len(row) {
			if len(row[at]) > maxNameLine {
				line, _ := c.FieldPos(at)
				return nil, fmt.Errorf("%d: a name of %d bytes: %w", line, len(row[at]), ErrNames)
			}
			out = appendName(out, strings.Clone(row[at]))
		}
	}
}
