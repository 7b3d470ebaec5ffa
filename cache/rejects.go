package cache

import (
	"encoding/csv"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/shard"
)

// RejectRow is a line of [RejectsName].
type RejectRow struct {
	Part string
	shard.Reject
}

// WriteRejects writes the table of rejects, sorted by image; those that name none are in the order of the
// shards.
func WriteRejects(path string, rows []RejectRow) error {
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].Key < rows[j].Key })
	return atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write([]string{"image", "part", "stage", "reason", "detail"})
		for _, r := range rows {
			c.Write([]string{r.Key, r.Part, r.Stage, r.Reason, r.Detail})
		}
		c.Flush()
		return c.Error()
	})
}

// Allowance is how many rejects a build may have and still succeed: a number, "25", or a share
// of the images, "1%".
type Allowance struct {
	count int
	share float64 // of one, where count is -1
}

// ParseAllowance reads "25" or "0.5%".
func ParseAllowance(s string) (Allowance, error) {
	if p, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return Allowance{}, fmt.Errorf("%q is no share from 0%% to 100%%", s)
		}
		return Allowance{-1, v / 100}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return Allowance{}, fmt.Errorf("%q is no number of images and no share such as 1%%", s)
	}
	return Allowance{n, 0}, nil
}

// Of returns how many of n images may be rejected.
func (a Allowance) Of(n int) int {
	if a.count >= 0 {
		return a.count
	}
	return int(a.share * float64(n))
}
