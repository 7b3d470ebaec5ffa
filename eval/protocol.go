package eval

import (
	"fmt"
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

// Protocol is the question that a result answers. Results whose Protocols are equal may stand
// side by side, whatever network made them; package report refuses others.
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

// Digest names the question; equal Protocols have equal digests.
func (p Protocol) Digest() string {
	var b strings.Builder
	for _, f := range []Fact{
		{"protocol", p.Name}, {"pairs", p.Pairs}, {"keys", p.Keys}, {"threshold_from", p.ThresholdFrom}, {"metric", string(p.Metric)},
		{"normalized", strconv.FormatBool(p.Normalized)}, {"max_frames", strconv.Itoa(p.Frames)},
		{"excluded_identities", p.Excluded}, {"draw", p.Draw},
	} {
		fmt.Fprintf(&b, "%s=%s\n", f.Name, f.Value)
	}
	return digest.Bytes([]byte(b.String()))
}
