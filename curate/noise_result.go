package curate

import (
	"fmt"
	"io"

	"github.com/vf2prep/vf2prep/eval"
)

// NoiseResult is what a search for label noise found; noise.json holds it.
type NoiseResult struct {
	From       eval.Provenance `json:"from"` // of the embeddings
	KeysDigest string          `json:"keys_digest"`
	Manifest   string          `json:"manifest,omitempty"` // digest of the one that images were held against
	Shards     string          `json:"shards,omitempty"`

	Embeddings        int `json:"embeddings"` // vectors in the file
	Width             int `json:"width"`
	Identities        int `json:"identities"`
	Images            int `json:"images"`              // with an identity and a usable vector
	Judged            int `json:"judged"`              // of identities with enough images
	TooFew            int `json:"identities_too_few"`  // identities that are not judged
	TooFewImages      int `json:"images_too_few"`      // their images
	MissingEmbeddings int `json:"missing_embeddings"`  // images of the manifest or the shards without a vector
	ZeroEmbeddings    int `json:"zero_embeddings"`     // vectors without a direction
	UnknownImages     int `json:"unknown_images"`      // vectors of images that the manifest lacks
	NearerOther       int `json:"nearer_other"`        // images more like another identity than like their own
	NotParted         int `json:"identities_unparted"` // judged, but with too few images to be two people
	PairsCompared     int `json:"pairs_compared"`      // of identities

	Outliers    Threshold `json:"outliers"`    // similarity, at most
	Mislabelled Threshold `json:"mislabelled"` // similarity to the other identity, at least
	Merged      Threshold `json:"merged"`      // likeness of the parts, at most
	Split       Threshold `json:"split"`       // likeness of the identities, at least

	MinImages      int     `json:"min_images"`
	FalseAlarms    float64 `json:"false_alarms"`
	Seed           uint64  `json:"seed"`
	StrangerImages int     `json:"stranger_images"` // drawn comparisons of an image with another identity
	StrangerPairs  int     `json:"stranger_pairs"`  // and of two identities

	ExcludedImages     int      `json:"excluded_images"`
	ExcludedIdentities int      `json:"excluded_identities"`
	NoPicture          int      `json:"no_picture"` // of those that a contact sheet would show
	Files              []string `json:"files"`

	Skips       []eval.Skip `json:"-"`
	outliers    []Image
	mislabelled []Image
	merged      []Merge
	split       []Pair
}

// Print writes the result for people.
func (r *NoiseResult) Print(w io.Writer) {
	fmt.Fprintf(w, "images      %9d judged, of %d identities\n", r.Judged, r.Identities-r.TooFew)
	if r.TooFew > 0 {
		fmt.Fprintf(w, "not judged  %9d images of %d identities with fewer than %d\n", r.TooFewImages, r.TooFew, r.MinImages)
	}
	for _, x := range []struct {
		n    int
		what string
	}{
		{r.MissingEmbeddings, "images without an embedding"}, {r.ZeroEmbeddings, "embeddings of zeros"},
		{r.UnknownImages, "embeddings of images that the manifest lacks"},
	} {
		if x.n > 0 {
			fmt.Fprintf(w, "left out    %9d %s\n", x.n, x.what)
		}
	}
	for _, x := range []struct {
		name, unit string
		t          Threshold
	}{
		{Outliers, "similarity to the own identity at most", r.Outliers},
		{Mislabelled, "nearer to another identity, similarity at least", r.Mislabelled},
		{Merged, "likeness of the two parts at most", r.Merged},
		{Split, "likeness of two identities at least", r.Split},
	} {
		fmt.Fprintf(w, "%-11s %9d ", x.name, x.t.Flagged)
		if x.t.Value == nil {
			fmt.Fprintf(w, "flagged: %s\n", x.t.Source)
			continue
		}
		fmt.Fprintf(w, "flagged: %s %.4f", x.unit, *x.t.Value)
		if x.t.FalseAlarms != nil && x.t.Flagged > 0 {
			fmt.Fprintf(w, ", about %.1f %% false alarms", 100**x.t.FalseAlarms)
		}
		fmt.Fprintln(w)
	}
	if r.ExcludedImages+r.ExcludedIdentities > 0 {
		fmt.Fprintf(w, "exclude     %9d images and %d identities\n", r.ExcludedImages, r.ExcludedIdentities)
	}
	if r.NoPicture > 0 {
		fmt.Fprintf(w, "pictures    %9d can't be shown: see skipped.csv\n", r.NoPicture)
	}
}

// Flagged counts all that is flagged; an image may count twice.
func (r *NoiseResult) Flagged() int {
	return r.Outliers.Flagged + r.Mislabelled.Flagged + r.Merged.Flagged + r.Split.Flagged
}

// Found is the result as an error, for those who want none of it.
func (r *NoiseResult) Found(out string) error {
	return fmt.Errorf("%s: %d outliers, %d mislabelled images, %d merged and %d split identities are flagged",
		out, r.Outliers.Flagged, r.Mislabelled.Flagged, r.Merged.Flagged, r.Split.Flagged)
}
