package eval

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/capped"
)

// ErrPredictions says that a file of predictions is in another format.
var ErrPredictions = errors.New("eval: no predictions file")

// Estimate is what a system says of one image, and what is known of it.
type Estimate struct {
	Key         string
	Age         float64 // years; NaN: not said
	Gender      int8    // 0 male, 1 female, -1 not said
	Probability float64 // of the gender said; NaN: not said
	Inversions  int     // among the ranks of an age-rank head; -1: none
	AgeLabel    float64 // years; NaN unknown
	GenderLabel int8    // -1 unknown
	Sigma       float64 // deviation of the age label, years; NaN unknown
}

func unknownEstimate(key string) Estimate {
	nan := math.NaN()
	return Estimate{Key: key, Age: nan, Gender: -1, Probability: nan, Inversions: -1, AgeLabel: nan, GenderLabel: -1, Sigma: nan}
}

const (
	maxPredictions    = 1 << 30 // bytes of a file
	maxPredictionKey  = 4096    // bytes
	maxPredictionRows = 20_000_000
	maxYears          = 1000 // an estimate beyond is a mistake, not an age
	maxAgeLabel       = 150  // years, as package manifest reads them
)

// predictionColumns are the columns by their names in lower case, those of other systems included.
var predictionColumns = map[string]string{
	"key": "key", "name_id": "key", "image": "key",
	"age": "age", "age_pred": "age",
	"gender": "gender", "gender_pred": "gender",
	"gender_probability": "probability", "gender_prob": "probability",
	"inversions": "inversions", "age_label": "age_label", "gender_label": "gender_label", "age_sigma": "sigma",
}

// Predictions is a file of them.
type Predictions struct {
	List   []Estimate      // sorted by key
	Labels bool            // the file has labels of its own
	Has    map[string]bool // age, gender, sigma, ..: the columns that are there
}

// LoadPredictions reads a file as [ReadPredictions] does.
func LoadPredictions(path string) (*Predictions, error) {
	f, _, err := capped.Open(path, maxPredictions, ErrPredictions)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := ReadPredictions(io.LimitReader(f, maxPredictions))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return p, nil
}

// ReadPredictions reads a CSV with a head: key, and age (years) or gender (m, f) or both; optionally
// age_label, gender_label, age_sigma, gender_probability and inversions. Other columns are passed
// over; an empty field and "nan" are unknown. A key is an image's, "n000002/0001_01", with or without
// .jpg. The predictions.csv of eval attributes is such a file.
//
// The error wraps [ErrPredictions] and begins with the line: a value that is none, a key that comes
// twice, a head without the columns.
func ReadPredictions(r io.Reader) (*Predictions, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	c.TrimLeadingSpace = true
	fail := func(format string, args ...any) error {
		line, _ := c.FieldPos(0)
		return fmt.Errorf("%d: %w: %w", line, fmt.Errorf(format, args...), ErrPredictions)
	}
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("1: no head: %w: %w", err, ErrPredictions)
	}
	p := &Predictions{Has: map[string]bool{}}
	columns := make([]string, len(head))
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))) // spreadsheets write the mark
		what := predictionColumns[name]
		if what != "" && p.Has[what] {
			return nil, fail("two columns for %s", what)
		}
		columns[i] = what
		p.Has[what] = true
	}
	if !p.Has["key"] || !p.Has["age"] && !p.Has["gender"] {
		return nil, fail("columns %s, want key and age or gender", strings.Join(head, ","))
	}
	p.Labels = p.Has["age_label"] || p.Has["gender_label"]
	lines := map[string]int{}
	for {
		row, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			var at *csv.ParseError
			if errors.As(err, &at) {
				return nil, fmt.Errorf("%d: %w: %w", at.Line, at.Err, ErrPredictions)
			}
			return nil, fmt.Errorf(" %w", err)
		}
		e := unknownEstimate("")
		for i, text := range row {
			if columns[i] == "" {
				continue
			}
			if err := e.set(columns[i], strings.TrimSpace(text)); err != nil {
				return nil, fail("%s: %w", columns[i], err)
			}
		}
		if before := lines[e.Key]; before > 0 {
			return nil, fail("%s was in line %d already", e.Key, before)
		}
		if len(p.List) == maxPredictionRows {
			return nil, fail("more than %d rows", maxPredictionRows)
		}
		lines[e.Key], _ = c.FieldPos(0)
		p.List = append(p.List, e)
	}
	sortEstimates(p.List)
	return p, nil
}

func sortEstimates(list []Estimate) {
	slices.SortFunc(list, func(a, b Estimate) int { return compareKeys(a.Key, b.Key) })
}

// compareKeys puts the images of one identity together.
func compareKeys(a, b string) int {
	if c := strings.Compare(identityOf(a), identityOf(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

func (e *Estimate) set(column, text string) (err error) {
	if column == "key" {
		e.Key = strings.Clone(strings.TrimSuffix(text, ".jpg"))
		if e.Key == "" || len(e.Key) > maxPredictionKey {
			return fmt.Errorf("%d bytes, want 1 to %d", len(e.Key), maxPredictionKey)
		}
		return nil
	}
	if text == "" || strings.EqualFold(text, "nan") {
		return nil
	}
	switch column {
	case "age":
		e.Age, err = numberWithin(text, -maxYears, maxYears)
	case "age_label":
		e.AgeLabel, err = numberWithin(text, 0, maxAgeLabel)
	case "sigma":
		if e.Sigma, err = numberWithin(text, 0, maxYears); err == nil && e.Sigma == 0 {
			err = errors.New("0, want above 0")
		}
	case "probability":
		e.Probability, err = numberWithin(text, 0, 1)
	case "inversions":
		if e.Inversions, err = strconv.Atoi(text); err != nil || e.Inversions < 0 {
			err = fmt.Errorf("%q is no count", text)
		}
	case "gender":
		e.Gender, err = genderOf(text)
	case "gender_label":
		e.GenderLabel, err = genderOf(text)
	}
	return err
}

func numberWithin(text string, low, high float64) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	if !(v >= low && v <= high) {
		return 0, fmt.Errorf("%s, want %g to %g", text, low, high)
	}
	return v, nil
}

func genderOf(text string) (int8, error) {
	switch strings.ToLower(text) {
	case "m", "male", "0":
		return 0, nil
	case "f", "female", "1":
		return 1, nil
	}
	return -1, fmt.Errorf("%q, want m or f", text)
}

// genderName is the manifest's word for a gender.
func genderName(g int8) string {
	switch g {
	case 0:
		return "m"
	case 1:
		return "f"
	}
	return ""
}
