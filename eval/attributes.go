package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// AttributeModel is a trained network that says a face's age or gender or both.
type AttributeModel interface {
	// InferAttributes runs n images, x[:n*C*H*W], n <= Batch().
	InferAttributes(x []float32, n int) (AttributeOutput, error)
	Batch() int
	Shape() (c, h, w int)
}

// AttributeOutput is what a network says of n images; a slice is nil where it has no such head. An age
// or probability is NaN where the network's own numbers were not finite.
type AttributeOutput struct {
	Age         []float64 // years
	Older       [][]bool  // of a ranking head: the answers to "older than k?"
	Gender      []int8    // 0 male, 1 female
	Probability []float64 // of that gender
}

// AttributeOptions say whose age and gender to judge: a network's on a part of a shard set, or
// another system's predictions against labels from a shard set, a manifest or its own file.
type AttributeOptions struct {
	Model   AttributeModel
	Classes []string // identities that the network was trained on; nil: not known
	Recipe  string   // digest of the recipe of the training; "": not known
	Set     *shard.Set
	Part    string // "" is "val"
	Flip    bool   // ask for each image's mirror too; see [FlipAttributes]

	Predictions string // path of a file, instead of Model
	Manifest    string // path; the labels for Predictions where Set is nil and the file has none

	Sigma    float64 // deviation of the age labels that have none of their own, years; 0: not known
	Seed     uint64  // of the intervals
	Out      string  // directory for the results, made where missing; "" writes nothing
	Curves   string  // picture of the training curves for the report; "" or a missing file: none
	From     Provenance
	Progress progress.Reporter
}

// ProtocolAttributes is the protocol of an [Attributes]; results on other labels can't be compared.
const ProtocolAttributes = "attributes"

// Reasons for leaving out an image, each for one of the two questions or for both.
const (
	noAgeLabel         = "no-age-label"
	noGenderLabel      = "no-gender-label"
	noAgePrediction    = "no-age-prediction"
	noGenderPrediction = "no-gender-prediction"
	unknownImage       = "unknown-image" // a prediction for an image that was not asked for
)

// Attributes is how well ages and genders are told. It is written as result.json, one flat object.
// A number that the data do not give is null.
type Attributes struct {
	Protocol    string `json:"protocol"`
	Part        string `json:"part,omitempty"`        // of the shards
	Labels      string `json:"labels"`                // where they are from: "shards", "manifest" or "predictions"
	LabelDigest string `json:"label_digest"`          // of the keys and labels that were compared
	Predictions string `json:"predictions,omitempty"` // digest of the file

	AgeMAE         *float64 `json:"age_mae"` // years
	AgeMAELow      *float64 `json:"age_mae_low"`
	AgeMAEHigh     *float64 `json:"age_mae_high"`
	AgeBias        *float64 `json:"age_bias"` // estimate - label, years
	AgeBiasLow     *float64 `json:"age_bias_low"`
	AgeBiasHigh    *float64 `json:"age_bias_high"`
	AgeCS5         *float64 `json:"age_cs5"` // share with |error| <= 5 years
	AgeCS5Low      *float64 `json:"age_cs5_low"`
	AgeCS5High     *float64 `json:"age_cs5_high"`
	AgeEpsilon     *float64 `json:"age_epsilon_error"` // of the images with a sigma
	AgeEpsilonLow  *float64 `json:"age_epsilon_error_low"`
	AgeEpsilonHigh *float64 `json:"age_epsilon_error_high"`
	AgeEpsilonN    int      `json:"age_epsilon_n"`
	AgeSigma       *float64 `json:"age_sigma"` // years, of labels without a deviation of their own
	AgeMAEMale     *float64 `json:"age_mae_male"`
	AgeMAEFemale   *float64 `json:"age_mae_female"`
	AgeConstant    *float64 `json:"age_mae_constant"` // of always guessing the labels' median
	AgeN           int      `json:"age_n"`
	AgeNoLabel     int      `json:"age_skipped_no_label"`
	AgeNoEstimate  int      `json:"age_skipped_no_prediction"`

	GenderAccuracy     *float64 `json:"gender_accuracy"`
	GenderAccuracyLow  *float64 `json:"gender_accuracy_low"`
	GenderAccuracyHigh *float64 `json:"gender_accuracy_high"`
	GenderBalanced     *float64 `json:"gender_balanced_accuracy"`
	GenderBalancedLow  *float64 `json:"gender_balanced_accuracy_low"`
	GenderBalancedHigh *float64 `json:"gender_balanced_accuracy_high"`
	GenderMajority     *float64 `json:"gender_majority"` // of always naming the more frequent one
	GenderMM           int      `json:"gender_male_as_male"`
	GenderMF           int      `json:"gender_male_as_female"`
	GenderFM           int      `json:"gender_female_as_male"`
	GenderFF           int      `json:"gender_female_as_female"`
	GenderN            int      `json:"gender_n"`
	GenderNoLabel      int      `json:"gender_skipped_no_label"`
	GenderNoEstimate   int      `json:"gender_skipped_no_prediction"`

	RankConsistent *float64 `json:"rank_consistent"` // share of images without an inversion
	RankInversions *float64 `json:"rank_inversions"` // mean number an image
	RankN          int      `json:"rank_n"`

	Images       int    `json:"images"` // that were asked about
	Identities   int    `json:"identities"`
	Skipped      int    `json:"skipped"`        // images of which nothing at all could be judged
	Unknown      int    `json:"unknown_images"` // predictions for images that were not asked about
	Rejected     int    `json:"rejected"`       // images that never became samples: see the cache's rejects.csv
	Overlap      *int   `json:"overlap_identities"`
	Flip         bool   `json:"flip_mean,omitempty"` // answers are the mean of those for image and mirror
	IntervalOver string `json:"interval_over"`       // what was drawn anew: "identities" or "images"
	Resamples    int    `json:"interval_resamples"`
	Seed         uint64 `json:"seed"`
	Provenance
	Report string `json:"report,omitempty"` // where the report was written; not in the file itself

	Estimates []Estimate   `json:"-"` // by key, those skipped included
	Groups    []AgeGroup   `json:"-"`
	Curve     []float64    `json:"-"` // CS of 0, 1, .. 30 years
	Genders   GenderCounts `json:"-"`
	Skips     []Skip       `json:"-"`
	Pictures  []Picture    `json:"-"`
	heads     attributeHeads
}

// attributeHeads says what a system says at all.
type attributeHeads struct{ age, gender, ranks bool }

// AgeGroup is the error on a part of the images.
type AgeGroup struct {
	By, Group      string // "decade", "20-29"; "gender", "f"
	N              int
	MAE, Bias, CS5 float64
}

// JudgeAttributes compares ages and genders with their labels. A face counts for the question whose
// label it has.
//
// Errors: wrapping [ErrMismatch] when network and shards don't fit, or it has neither head;
// [ErrPredictions] for a file in another format; naming the image when an estimate is NaN; when no
// image has a label.
func JudgeAttributes(ctx context.Context, o AttributeOptions) (*Attributes, error) {
	if o.Part == "" {
		o.Part = "val"
	}
	if math.IsNaN(o.Sigma) || math.IsInf(o.Sigma, 0) || o.Sigma < 0 {
		return nil, fmt.Errorf("age sigma %v, want years above 0", o.Sigma)
	}
	r := &Attributes{Protocol: ProtocolAttributes, Seed: o.Seed, Provenance: o.From, Resamples: resamples}
	var err error
	if o.Predictions != "" {
		err = r.fromFile(o)
	} else {
		err = r.fromModel(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	sortEstimates(r.Estimates)
	r.count(o)
	if r.AgeN == 0 && r.GenderN == 0 {
		return nil, fmt.Errorf("none of %d images has both a label and an estimate, of age or of gender; "+
			"labels come from manifest build --ages and identity_meta.csv", r.Images)
	}
	if o.Out == "" {
		return r, nil
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	if err := r.write(o); err != nil {
		return nil, err
	}
	r.Report = filepath.Join(o.Out, "report.html")
	return r, nil
}

// fromModel asks a network.
func (r *Attributes) fromModel(ctx context.Context, o AttributeOptions) error {
	if err := checkRecipe(o.Set, o.Recipe); err != nil {
		return err
	}
	r.Labels, r.Part, r.Provenance = "shards", o.Part, o.From.of(o.Set)
	r.Rejected = o.Set.Index().Parts[o.Part].Rejected
	if r.Flip = o.Flip; o.Flip {
		o.Model = FlipAttributes(o.Model)
	}
	l, err := openPart(o.Model, o.Set, o.Part)
	if err != nil {
		return err
	}
	bar := progress.Or(o.Progress)
	bar.Start(int64(l.Len()), "attributes "+o.Part)
	defer bar.Done()
	identities := map[string]bool{}
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return err
		}
		out, err := o.Model.InferAttributes(b.X, b.N)
		if err != nil {
			return err
		}
		if out.Age == nil && out.Gender == nil {
			return fmt.Errorf("the network has no head for age or gender: train one with --heads age,gender: %w", ErrMismatch)
		}
		r.heads = attributeHeads{out.Age != nil, out.Gender != nil, out.Older != nil}
		for i, key := range b.Keys {
			e := unknownEstimate(key)
			e.AgeLabel, e.GenderLabel = float64(b.Age[i]), b.Gender[i]
			if out.Age != nil {
				if e.Age = out.Age[i]; math.IsNaN(e.Age) {
					return fmt.Errorf("%s: the network's age is not finite", key)
				}
			}
			if out.Older != nil {
				e.Inversions = Inversions(out.Older[i])
			}
			if out.Gender != nil {
				if e.Gender, e.Probability = out.Gender[i], out.Probability[i]; math.IsNaN(e.Probability) {
					return fmt.Errorf("%s: the network's gender is not finite", key)
				}
			}
			r.Estimates = append(r.Estimates, e)
			identities[identityOf(key)] = true
		}
		bar.Add(int64(b.N))
	}
	if o.Classes != nil {
		n := 0
		for _, c := range o.Classes {
			if identities[c] {
				n++
			}
		}
		r.Overlap = &n
	}
	return nil
}

// fromFile takes another system's predictions.
func (r *Attributes) fromFile(o AttributeOptions) error {
	p, err := LoadPredictions(o.Predictions)
	if err != nil {
		return err
	}
	if r.Predictions, err = digest.File(o.Predictions); err != nil {
		return err
	}
	r.heads = attributeHeads{p.Has["age"], p.Has["gender"], p.Has["inversions"]}
	var labels []Estimate
	switch {
	case o.Set != nil:
		r.Labels, r.Part, r.Provenance = "shards", o.Part, o.From.of(o.Set)
		r.Rejected = o.Set.Index().Parts[o.Part].Rejected
		labels, err = shardLabels(o.Set, o.Part)
	case o.Manifest != "":
		r.Labels = "manifest"
		labels, r.Manifest, err = manifestLabels(o.Manifest)
	case p.Labels:
		r.Labels, r.Estimates = "predictions", p.List
		return nil
	default:
		err = errors.New("labels are missing: give a shard set, a manifest, or a column age_label or gender_label")
	}
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i := range labels {
		at[labels[i].Key] = i
	}
	for _, e := range p.List {
		i, ok := at[e.Key]
		if !ok {
			r.Skips = append(r.Skips, Skip{e.Key, unknownImage, "predicted, but not among the images that were asked about"})
			continue
		}
		e.AgeLabel, e.GenderLabel = labels[i].AgeLabel, labels[i].GenderLabel
		labels[i] = e
	}
	r.Unknown = len(r.Skips)
	r.Estimates = slices.Clip(labels)
	return nil
}
