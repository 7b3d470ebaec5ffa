package split

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/manifest"
)

// ErrList says that a list of what to leave out or to keep together can't be read. None is read in part.
var ErrList = errors.New("split: list")

// eachRow calls each with the named columns of every row of a CSV file with a header; other columns are
// passed over. The row is valid during the call. Errors begin with the line.
func eachRow(r io.Reader, names []string, each func(line int, row []string) error) error {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	head, err := in.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("1: %w: %w", err, ErrList)
	}
	at := make([]int, len(names))
	for i, name := range names {
		at[i] = slices.IndexFunc(head, func(s string) bool {
			return strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")) == name
		})
		if at[i] < 0 {
			return fmt.Errorf("1: header %.100q has no column %s: %w", strings.Join(head, ","), name, ErrList)
		}
	}
	out := make([]string, len(names))
	line := 1
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			line, _ = in.FieldPos(0)
			for i, k := range at {
				out[i] = strings.TrimSpace(row[k])
			}
			err = each(line, out)
		} else {
			if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
				line, err = bad.Line, bad.Err
			}
			err = fmt.Errorf("%w: %w", err, ErrList)
		}
		if err != nil {
			return fmt.Errorf("%d: %w", line, err)
		}
	}
}

// parseKey reads an image's key, with the file's extension or without.
func parseKey(s string) (manifest.ImageID, error) {
	id, err := manifest.ParseImageID(strings.TrimSuffix(s, ".jpg"))
	if err != nil {
		return id, fmt.Errorf("%.100q is no image such as n000002/0001_01: %w", s, ErrList)
	}
	return id, nil
}

// checkIdentity says whether a name can be an identity's.
func checkIdentity(s string) error {
	if _, err := manifest.ParseImageID(s + "/0001_01"); err != nil {
		return fmt.Errorf("%.100q is no identity such as n000002: %w", s, ErrList)
	}
	return nil
}
