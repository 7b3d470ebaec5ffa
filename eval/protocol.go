package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/digest"
)

// The protocols of a Verification. Numbers of different protocols are not comparable.
const (
	ProtocolAllPairs = "all-pairs"  // of a part's images, thresholds held out by identity
	ProtocolLFW      = "lfw-pairs"  // LFW's View 2: pairs in the file's own folds
	ProtocolLFW1     = "lfw-view-1" // LFW's View 1: pairs that are one block
	ProtocolYTF      = "ytf-splits" // YouTube Faces: pairs of videos in the file's own splits
	ProtocolPairs    = "pairs"      // path1,path2,same[,fold]
)

// ErrProtocol says that results answer different questions.
var ErrProtocol = errors.New("eval: results of different protocols can't be compared")

// Protocol is the question that a result answers. Results whose Protocols are equal may stand
// side by side, whatever network made them.
type Protocol struct {
	Name          string `json:"protocol"`
	Pairs         string `json:"pairs,omitempty"`          // digest of the pairs file
	Keys          string `json:"keys,omitempty"`           // all-pairs: digest of the keys compared, sorted
	ThresholdFrom string `json:"threshold_from,omitempty"` // digest of the pairs file that chose the threshold
	Metric        Metric `json:"metric"`
	Normalized    bool   `json:"normalized"`                    // embeddings were made length 1
	Frames        int    `json:"max_frames,omitempty"`          // of a video, 0 all
	Excluded      string `json:"excluded_identities,omitempty"` // digest of the people left out
	Draw          string `json:"draw,omitempty"`                // how pairs or folds were drawn: seed and limit
}

// fields returns the names and values that must agree.
func (p Protocol) fields() []Fact {
	return []Fact{
		{"protocol", p.Name}, {"pairs", p.Pairs}, {"keys", p.Keys}, {"threshold_from", p.ThresholdFrom}, {"metric", string(p.Metric)},
		{"normalized", strconv.FormatBool(p.Normalized)}, {"max_frames", strconv.Itoa(p.Frames)},
		{"excluded_identities", p.Excluded}, {"draw", p.Draw},
	}
}

// Digest names the question; equal Protocols have equal digests.
func (p Protocol) Digest() string {
	var b strings.Builder
	for _, f := range p.fields() {
		fmt.Fprintf(&b, "%s=%s\n", f.Name, f.Value)
	}
	return digest.Bytes([]byte(b.String()))
}

// SameProtocol refuses results that answer different questions: the error wraps [ErrProtocol] and
// names the first field of result.json that differs, with both values.
func SameProtocol(results ...*Verification) error {
	for i, r := range results {
		if i == 0 {
			continue
		}
		first, now := results[0].Protocol.fields(), r.Protocol.fields()
		for k := range first {
			if first[k].Value != now[k].Value {
				return fmt.Errorf("%w: %s of result 1%s is %q, of result %d%s %q", ErrProtocol, first[k].Name,
					results[0].called(), first[k].Value, i+1, r.called(), now[k].Value)
			}
		}
	}
	return nil
}

// called returns the run's name in brackets, where it is known.
func (v *Verification) called() string {
	if v.Run == "" {
		return ""
	}
	return " (" + v.Run + ")"
}

// maxResult is the longest result.json that is read, in bytes.
const maxResult = 16 << 20

// ReadVerification reads the result.json that [Verify] wrote, given its path or its folder. What
// result.json does not hold, such as the curve, is empty.
func ReadVerification(path string) (*Verification, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, "result.json")
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxResult {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, info.Size(), maxResult)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	v := &Verification{}
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case v.Protocol.Name == "":
		return nil, fmt.Errorf("%s: no protocol: not a result of eval verify", path)
	case v.Metric == "":
		return nil, fmt.Errorf("%s: no metric: written by an older version; run eval verify again", path)
	case v.ProtocolDigest != v.Protocol.Digest():
		return nil, fmt.Errorf("%s: protocol digest %s, its fields give %s", path, v.ProtocolDigest, v.Protocol.Digest())
	}
	return v, nil
}
