package synth

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	maxIdentityMeta = 64 << 20 // bytes
	maxSamples      = 1 << 20  // images of one identity
)

// readIdentityMeta reads the identities of an identity_meta.csv in any of the forms in which
// copies go round: with or without header, saved again by a spreadsheet, with further columns,
// or with a lost Sample_Num, whose count is then -1.
func readIdentityMeta(path string) ([]identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxIdentityMeta {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, info.Size(), maxIdentityMeta)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	people, err := parseIdentityMeta(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", filepath.Base(path), err)
	}
	return people, nil
}

// parseIdentityMeta returns the identities in the order of their lines; an error begins with
// the line's number.
func parseIdentityMeta(text []byte) ([]identity, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	seen := map[string]bool{}
	var people []identity
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		s := strings.TrimSpace(string(line))
		if s == "" || strings.HasPrefix(s, "Class_ID") {
			continue
		}
		p, err := parseIdentity(s)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		if !seen[p.id] {
			seen[p.id] = true
			people = append(people, p)
		}
	}
	if len(people) == 0 {
		return nil, fmt.Errorf("1: no identities")
	}
	return people, nil
}

func parseIdentity(s string) (identity, error) {
	var p identity
	id, rest, _ := strings.Cut(s, ",")
	if len(id) != 7 || id[0] != 'n' || strings.Trim(id[1:], "0123456789") != "" {
		return p, wrong("Class_ID", id, "an identity such as n000002")
	}
	p.id = id
	// The name may hold commas, but only inside its quotes.
	if a, b := strings.IndexByte(rest, '"'), strings.LastIndexByte(rest, '"'); b > a {
		p.name = strings.Trim(rest[a:b+1], `" `)
		rest = rest[b+1:]
	} else {
		p.name, rest, _ = strings.Cut(rest, ",")
		p.name = strings.TrimSpace(p.name)
	}
	var fields []string
	for _, f := range strings.Split(rest, ",") {
		if f = strings.TrimSpace(f); f != "" {
			fields = append(fields, f)
		}
	}
	if len(fields) < 2 {
		return p, fmt.Errorf("%d fields after the name, want Sample_Num, Flag, Gender", len(fields))
	}
	p.count = -1
	if len(fields) > 2 && fields[1] != "m" && fields[1] != "f" {
		n, err := strconv.Atoi(fields[0])
		if err != nil || n < 0 || n > maxSamples {
			return p, wrong("Sample_Num", fields[0], "a number of images")
		}
		p.count = n
		fields = fields[1:]
	}
	switch fields[0] {
	case "0":
		p.test = true
	case "1":
	default:
		return p, wrong("Flag", fields[0], "0 or 1")
	}
	switch fields[1] {
	case "f":
		p.female = true
	case "m":
	default:
		return p, wrong("Gender", fields[1], "m or f")
	}
	return p, nil
}

func wrong(field, found, want string) error {
	return fmt.Errorf("%s: %q, want %s", field, found, want)
}
