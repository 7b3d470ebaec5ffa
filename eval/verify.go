package eval

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// VerifyOptions say what to verify with which network: either a part of a shard set, or, when
// Pairs is set, the pairs of an LFW file.
type VerifyOptions struct {
	Model   Model
	Classes []string // identities that the network was trained on; nil: not known
	Recipe  string   // digest of the recipe of the training; "": not known

	Set  *shard.Set // nil with Pairs, where Crop stands for it
	Part string     // "" is "test"

	Pairs string // path of a pairs file
	Crop  Crop   // makes pixels of the pairs' images

	MaxPairs int    // genuine and impostor pairs each, beyond which a sample is drawn; 0: 20 million
	Seed     uint64 // of the sample and of the identities' folds
	Out      string // directory for the results, made where missing; "" writes nothing
	Curves   string // picture of the training curves for the report; "" or a missing file: none
	From     Provenance
	Progress progress.Reporter
}

const (
	defaultMaxPairs = 20_000_000
	identityFolds   = 10 // of the field's habit, where the protocol has none of its own
	hardPairs       = 20
)

// The protocols of a Verification. Numbers of different protocols are not comparable.
const (
	ProtocolAllPairs = "all-pairs" // of a part's images, thresholds held out by identity
	ProtocolLFW      = "lfw-pairs" // of a pairs file, in its own folds
)

// Verification is how well distances between embeddings tell one person from two. It is written
// as result.json, one flat object. A number that can't be had from so few pairs is null.
type Verification struct {
	Protocol string `json:"protocol"`
	Part     string `json:"part,omitempty"`
	Pairs    string `json:"pairs,omitempty"` // digest of the pairs file

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
	// Identities that the network was trained on too, by id; their pairs are easier.
	Overlap int    `json:"overlap_identities"`
	Seed    uint64 `json:"seed"`
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
// them. Distances are squared Euclidean ones between embeddings of length 1.
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
	if o.Pairs != "" {
		err = v.fromPairs(ctx, o)
	} else {
		err = v.fromPart(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	_, counts := reasons(v.Skips)
	v.Skipped, v.SkippedMissing = len(v.Skips), counts[missingImage]
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
	if err := checkRecipe(o.Set, o.Recipe); err != nil {
		return err
	}
	v.Protocol, v.Part, v.Provenance = ProtocolAllPairs, o.Part, o.From.of(o.Set)
	raw, skipped, err := embedPart(ctx, o.Model, o.Set, o.Part, o.Progress)
	if err != nil {
		return err
	}
	v.Rejected = o.Set.Index().Parts[o.Part].Rejected
	v.Skips = skipped
	e, names, starts := raw.sorted()
	g := groups(starts)
	v.Images, v.Identities = g.images(), g.identities()
	v.GenuinePairsAll, v.ImpostorPairsAll = g.count()
	if v.GenuinePairsAll == 0 || v.ImpostorPairsAll == 0 {
		return fmt.Errorf("%s: part %s: %d images of %d identities make %d genuine and %d impostor pairs: %w",
			o.Set.Dir(), o.Part, v.Images, v.Identities, v.GenuinePairsAll, v.ImpostorPairsAll, ErrNoPairs)
	}
	v.countOverlap(names, o.Classes)

	genuine := g.genuinePairs(o.MaxPairs, o.Seed)
	impostor := g.impostorPairs(o.MaxPairs, o.Seed)
	o.Progress.Start(int64(genuine.len()+impostor.len()), "compare")
	for _, p := range []*pairSet{genuine, impostor} {
		if err := p.measure(ctx, e, o.Progress); err != nil {
			return err
		}
	}
	o.Progress.Done()
	v.HardGenuine = genuine.hardest(e, hardPairs, true)
	v.HardImpostor = impostor.hardest(e, hardPairs, false)
	folds := g.identityFolds(genuine, impostor, identityFolds, o.Seed)
	return v.judge(folds, genuine.distance, impostor.distance, true)
}

func (v *Verification) countOverlap(names, classes []string) {
	trained := map[string]bool{}
	for _, c := range classes {
		trained[c] = true
	}
	for _, n := range names {
		if trained[n] {
			v.overlapSample = append(v.overlapSample, n)
		}
	}
	sort.Strings(v.overlapSample)
	v.Overlap = len(v.overlapSample)
}

// judge fills in every rate. It sorts the distances in place.
func (v *Verification) judge(folds []Fold, genuine, impostor []float64, balanced bool) error {
	h, err := HoldOut(folds, balanced)
	if err != nil {
		// Few identities of one image each leave folds without genuine pairs: one fold then.
		if h, err = HoldOut([]Fold{{genuine, impostor}}, balanced); err != nil {
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

	v.genuineBins, v.impostorBins = binDistances(genuine), binDistances(impostor)
	roc, err := NewROC(genuine, impostor)
	if err != nil {
		return err
	}
	v.GenuinePairs, v.ImpostorPairs = roc.Genuine(), roc.Impostor()
	v.Sampled = v.Protocol == ProtocolAllPairs && v.GenuinePairs+v.ImpostorPairs < v.GenuinePairsAll+v.ImpostorPairsAll
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
	return nil
}

// farName writes 1e-3 for 0.001.
func farName(far float64) string { return fmt.Sprintf("1e%d", int(math.Round(math.Log10(far)))) }

// histogramBins is distances counted in bins of 0.02.
type histogramBins struct{ middle, count []float64 }

const binsPerUnit = 50

func binDistances(d []float64) histogramBins {
	b := histogramBins{make([]float64, 4*binsPerUnit), make([]float64, 4*binsPerUnit)}
	for i := range b.middle {
		b.middle[i] = (float64(i) + 0.5) / binsPerUnit
	}
	for _, v := range d {
		b.count[min(int(v*binsPerUnit), len(b.count)-1)]++
	}
	return b
}
