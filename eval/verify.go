package eval

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// VerifyOptions say what to verify with which network: a part of a shard set, or, when Pairs is
// set, the pairs of a file. Vectors come from Embeddings where these are given; else from the
// Model, with the pixels of the Set or, for pairs of image files, of Crop.
type VerifyOptions struct {
	Model   Model
	Classes []string // identities that the network was trained on; nil: not known
	Recipe  string   // digest of the recipe of the training; "": not known

	Embeddings *Embeddings // of any system

	Set  *shard.Set
	Part string // "" is "test"

	Pairs         string // path of a pairs file, as OpenPairList reads it
	ThresholdFrom string // path of another, that the threshold is chosen on (LFW's View 1)
	Crop          Crop   // makes pixels of the pairs' images
	MaxFrames     int    // of a video, at equal steps; 0: all

	Metric      Metric // "" is SquaredEuclidean
	NoNormalize bool   // vectors keep the lengths that they come with

	Names          map[string]string // names of people by id, so that the same person is known by both
	Exclude        []string          // ids or names of people, and keys of images, whose pairs are left out
	WithoutOverlap bool              // leave those out whom the network was trained on

	Bootstrap int    // samples of people for the intervals; 0: none
	MaxPairs  int    // genuine and impostor pairs each, beyond which a sample is drawn; 0: 20 million
	Seed      uint64 // of the sample, of the identities' folds and of the bootstrap
	Out       string // directory for the results, made where missing; "" writes nothing
	Curves    string // picture of the training curves for the report; "" or a missing file: none
	From      Provenance
	Progress  progress.Reporter
}

const (
	defaultMaxPairs = 20_000_000
	identityFolds   = 10 // of the field's habit, where the protocol has none of its own
	hardPairs       = 20
)

// Verification is how well distances between embeddings tell one person from two. It is written
// as result.json, one flat object. A number that can't be had from so few pairs is null.
type Verification struct {
	Protocol
	ProtocolDigest string `json:"protocol_digest"`
	Part           string `json:"part,omitempty"`

	AUC          float64 `json:"auc"`
	EER          float64 `json:"eer"`
	EERThreshold float64 `json:"eer_threshold"`

	Accuracy     float64  `json:"accuracy"` // on held-out folds: plain for LFW, balanced else
	AccuracyStd  *float64 `json:"accuracy_std"`
	AccuracyKind string   `json:"accuracy_kind"` // "plain" or "balanced"
	Folds        int      `json:"folds"`         // 1: nothing was held out
	FoldsLeftOut int      `json:"folds_left_out"`
	Threshold    float64  `json:"threshold"` // best of the grid on all pairs, squared distance

	VAL    *float64 `json:"val_at_far_1e-3"` // on held-out folds
	VALStd *float64 `json:"val_std"`
	VALFAR *float64 `json:"val_far"` // that the held-out folds really had

	TAR1 *float64 `json:"tar_at_far_1e-1"`
	TAR2 *float64 `json:"tar_at_far_1e-2"`
	TAR3 *float64 `json:"tar_at_far_1e-3"`
	TAR4 *float64 `json:"tar_at_far_1e-4"`
	TAR5 *float64 `json:"tar_at_far_1e-5"`
	TAR6 *float64 `json:"tar_at_far_1e-6"`
	// The FARs above that the impostor pairs can't resolve.
	NotReachable []string `json:"far_not_reachable"`
	Intervals

	GenuinePairs      int  `json:"genuine_pairs"`  // used
	ImpostorPairs     int  `json:"impostor_pairs"` // used
	GenuinePairsAll   int  `json:"genuine_pairs_total"`
	ImpostorPairsAll  int  `json:"impostor_pairs_total"`
	Sampled           bool `json:"sampled"`       // fewer were used than there are, drawn with Seed
	MissingPairs      int  `json:"missing_pairs"` // left out because an image is missing or can't be used
	Images            int  `json:"images"`        // embedded and used
	Identities        int  `json:"identities"`
	Skipped           int  `json:"skipped"` // images left out
	SkippedMissing    int  `json:"skipped_missing_image"`
	SkippedUnreadable int  `json:"skipped_unreadable_image"`
	SkippedZero       int  `json:"skipped_zero_embedding"`
	Rejected          int  `json:"rejected"` // images that never became samples: see the cache's rejects.csv
	// Identities that the network was trained on too; their pairs are easier.
	Overlap int `json:"overlap_identities"`
	// What the overlap was found by: "id", "id-and-name", or "" where it is not known whom the
	// network was trained on.
	OverlapBy          string `json:"overlap_by"`
	WithoutOverlap     bool   `json:"without_overlap"`     // they are left out
	ExcludedIdentities int    `json:"identities_left_out"` // excluded, or trained on with WithoutOverlap
	ExcludedImages     int    `json:"images_left_out"`     // excluded by themselves
	ExcludedPairs      int    `json:"pairs_excluded"`      // of a pairs file: of excluded people and images
	OverlapPairs       int    `json:"pairs_overlap"`       // of a pairs file: left out with WithoutOverlap
	Seed               uint64 `json:"seed"`
	Provenance
	Report string `json:"report,omitempty"` // where the report was written; not in the file itself

	Rates         []Rate        `json:"-"` // TAR at FAR 1e-1 to 1e-6
	Curve         []CurvePoint  `json:"-"`
	HardGenuine   []Hard        `json:"-"`
	HardImpostor  []Hard        `json:"-"`
	Skips         []Skip        `json:"-"`
	PairsLeftOut  []Skip        `json:"-"`
	Pictures      []Picture     `json:"-"`
	judgements    []judged      // of a pairs file, a row a pair
	genuineBins   histogramBins // of distances
	impostorBins  histogramBins
	overlapSample []string
}

// Verify measures the distances of genuine and impostor pairs and counts what thresholds make of
// them. Distances are squared Euclidean ones between embeddings of length 1, unless the options
// say otherwise.
//
// Errors: wrapping [ErrNoPairs] when genuine or impostor pairs are lacking, [ErrMismatch] when
// network and pixels don't fit, [ErrPairs] for a pairs file in another format; naming the image
// when a value of its embedding is NaN or infinite.
func Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	if o.MaxPairs <= 0 {
		o.MaxPairs = defaultMaxPairs
	}
	o.Progress = progress.Or(o.Progress)
	v := &Verification{Seed: o.Seed, Provenance: o.From}
	var err error
	if o.Metric, err = ParseMetric(string(o.Metric)); err != nil {
		return nil, err
	}
	if o.Embeddings != nil && o.Embeddings.Raw != o.NoNormalize {
		return nil, fmt.Errorf("eval: embeddings with raw=%v, NoNormalize=%v", o.Embeddings.Raw, o.NoNormalize)
	}
	v.Metric, v.Normalized = o.Metric, !o.NoNormalize
	if o.Pairs != "" {
		err = v.fromPairs(ctx, o)
	} else {
		err = v.fromPart(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	v.ProtocolDigest = v.Protocol.Digest()
	_, counts := reasons(v.Skips)
	v.Skipped, v.SkippedMissing = len(v.Skips)-v.ExcludedIdentities-v.ExcludedImages, counts[missingImage]
	v.SkippedUnreadable, v.SkippedZero = counts[unreadableImage], counts[zeroEmbedding]
	if o.Out == "" {
		return v, nil
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	if err := v.write(o); err != nil {
		return nil, err
	}
	v.Report = filepath.Join(o.Out, "report.html")
	return v, nil
}

// fromPart compares the images of a part with one another.
func (v *Verification) fromPart(ctx context.Context, o VerifyOptions) error {
	if o.Part == "" {
		o.Part = "test"
	}
	raw, where, err := v.ofPart(ctx, o)
	if err != nil {
		return err
	}
	v.Protocol.Name = ProtocolAllPairs
	v.Keys = keysDigest(slices.Sorted(slices.Values(append(itemsOf(raw.Skips), raw.Keys...))))
	v.Skips = raw.Skips
	out := newLeaveOut(o, keysKnown(raw.Keys))
	e, _, starts := raw.keep(out.keeps).sorted()
	out.report(v, o)
	g := groups(starts)
	v.Images, v.Identities = g.images(), g.identities()
	v.GenuinePairsAll, v.ImpostorPairsAll = g.count()
	if v.GenuinePairsAll == 0 || v.ImpostorPairsAll == 0 {
		return fmt.Errorf("%s: %d images of %d identities make %d genuine and %d impostor pairs: %w",
			where, v.Images, v.Identities, v.GenuinePairsAll, v.ImpostorPairsAll, ErrNoPairs)
	}
	v.Draw = fmt.Sprintf("folds by seed %d", o.Seed)
	if max(v.GenuinePairsAll, v.ImpostorPairsAll) > o.MaxPairs {
		v.Draw += fmt.Sprintf(", %d pairs of a kind", o.MaxPairs)
	}

	c := &compared{genuine: g.genuinePairs(o.MaxPairs, o.Seed), impostor: g.impostorPairs(o.MaxPairs, o.Seed), balanced: true}
	o.Progress.Start(int64(c.genuine.len()+c.impostor.len()), "compare")
	for _, p := range []*pairSet{c.genuine, c.impostor} {
		if err := p.measure(ctx, e, o.Metric.distance(), o.Progress); err != nil {
			return err
		}
	}
	o.Progress.Done()
	v.HardGenuine = c.genuine.hardest(e, hardPairs, true)
	v.HardImpostor = c.impostor.hardest(e, hardPairs, false)
	g.identityFolds(c, identityFolds, o.Seed)
	return v.judge(ctx, o, c)
}

// ofPart returns the embeddings of a part, or those that the options bring, and what to call them
// in an error.
func (v *Verification) ofPart(ctx context.Context, o VerifyOptions) (*Embeddings, string, error) {
	if o.Embeddings != nil {
		v.Part = o.Embeddings.Origin.Part
		return o.Embeddings, "embeddings", nil
	}
	if err := checkRecipe(o.Set, o.Recipe); err != nil {
		return nil, "", err
	}
	v.Part, v.Provenance = o.Part, o.From.of(o.Set)
	v.Rejected = o.Set.Index().Parts[o.Part].Rejected
	e, skipped, err := embedPart(ctx, o.Model, o.Set, o.Part, o.NoNormalize, o.Progress)
	if err != nil {
		return nil, "", err
	}
	e.Skips = skipped
	return e, fmt.Sprintf("%s: part %s", o.Set.Dir(), o.Part), nil
}

func itemsOf(skips []Skip) []string {
	var out []string
	for _, s := range skips {
		out = append(out, s.Item)
	}
	return out
}

// judge fills in every rate. It sorts the distances in place.
func (v *Verification) judge(ctx context.Context, o VerifyOptions, c *compared) error {
	genuine, impostor, balanced := c.genuine.distance, c.impostor.distance, c.balanced
	largest := max(slices.Max(genuine), slices.Max(impostor))
	if math.IsNaN(largest) || math.IsInf(largest, 0) { // values near float32's largest, not normalised
		return fmt.Errorf("a pair is %v apart: values of the embeddings are too large to compare without normalising: %w", largest, ErrEmbeddings)
	}
	grid := o.Metric.grid(o.NoNormalize, largest)
	folds := c.foldDistances()
	h, err := holdOut(folds, c.development, balanced, grid)
	if err != nil {
		// Few identities of one image each leave folds without genuine pairs: one fold then.
		if h, err = holdOut([]Fold{{genuine, impostor}}, c.development, balanced, grid); err != nil {
			return err
		}
		h.LeftOut = len(folds)
	}
	v.Accuracy, v.Threshold, v.Folds, v.FoldsLeftOut = h.Accuracy, h.Threshold, h.Folds, h.LeftOut
	v.AccuracyKind = "plain"
	if balanced {
		v.AccuracyKind = "balanced"
	}
	v.VAL, v.VALFAR = value(h.VAL), value(h.VALFAR)
	if h.Folds > 1 {
		v.AccuracyStd, v.VALStd = &h.AccuracyStd, value(h.VALStd)
	}
	var boot *bootstrap
	if o.Bootstrap > 0 { // before the distances lose their pairs by sorting
		boot = newBootstrap(c.weighed(), c.people, c.folds, c.development, balanced, grid, o.Seed)
	}

	v.genuineBins, v.impostorBins = binDistances(genuine, grid), binDistances(impostor, grid)
	roc, err := NewROC(genuine, impostor)
	if err != nil {
		return err
	}
	v.GenuinePairs, v.ImpostorPairs = roc.Genuine(), roc.Impostor()
	v.Sampled = v.Protocol.Name == ProtocolAllPairs && v.GenuinePairs+v.ImpostorPairs < v.GenuinePairsAll+v.ImpostorPairsAll
	v.AUC = roc.AUC()
	v.EER, v.EERThreshold = roc.EER()
	v.Curve = roc.Curve()
	v.NotReachable = []string{}
	for k, to := range []**float64{&v.TAR1, &v.TAR2, &v.TAR3, &v.TAR4, &v.TAR5, &v.TAR6} {
		r := roc.TARAtFAR(math.Pow10(-k - 1))
		v.Rates = append(v.Rates, r)
		*to = value(r.TAR)
		if !r.Reachable {
			v.NotReachable = append(v.NotReachable, farName(r.FAR))
		}
	}
	if boot != nil {
		v.Intervals, err = boot.intervals(ctx, o.Bootstrap, v.Rates, o.Progress)
	}
	return err
}

// farName writes 1e-3 for 0.001.
func farName(far float64) string { return fmt.Sprintf("1e%d", int(math.Round(math.Log10(far)))) }

// histogramBins is distances counted in 200 bins: of 0.02 for squared distances.
type histogramBins struct {
	middle, count []float64
	perUnit       float64
}

const bins = 200

func binDistances(d []float64, g grid) histogramBins {
	b := histogramBins{make([]float64, bins), make([]float64, bins), float64(g) * bins / (gridSteps - 1)}
	for i := range b.middle {
		b.middle[i] = (float64(i) + 0.5) / b.perUnit
	}
	for _, v := range d {
		b.count[min(int(v*b.perUnit), bins-1)]++
	}
	return b
}
