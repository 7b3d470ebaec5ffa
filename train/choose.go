package train

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/nn"
)

// choose returns the parameters that a run trains and a factor of the learning rate for each. Of
// several factors for one parameter the last counts, so that "*=0.1,fc.*=10" has a rule and an
// exception. Errors wrap [ErrOption].
func choose(c Config, all []nn.Param) (params []nn.Param, scales []float64, err error) {
	frozen := make([]bool, len(all))
	for _, pattern := range list(c.Freeze) {
		places, err := matching(pattern, all)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: freeze: %w", ErrOption, err)
		}
		for _, i := range places {
			frozen[i] = true
		}
	}
	factors := make([]float64, len(all))
	for i := range factors {
		factors[i] = 1
	}
	for _, word := range list(c.RateScale) {
		pattern, text, _ := strings.Cut(word, "=")
		factor, err := strconv.ParseFloat(text, 64)
		if err != nil || !(factor > 0) || math.IsInf(factor, 0) {
			return nil, nil, fmt.Errorf("%w: lr scale: %q, want a pattern and a factor above 0 such as fc.*=10", ErrOption, word)
		}
		places, err := matching(pattern, all)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: lr scale: %w", ErrOption, err)
		}
		for _, i := range places {
			factors[i] = factor
		}
	}
	for i, p := range all {
		if !frozen[i] {
			params, scales = append(params, p), append(scales, factors[i])
		}
	}
	if len(params) == 0 {
		return nil, nil, fmt.Errorf("%w: freeze: %s leaves no parameter to train", ErrOption, c.Freeze)
	}
	return params, scales, nil
}

// matching returns the places of the parameters whose name a pattern matches, as path.Match
// reads it. None is an error: a name was misspelt.
func matching(pattern string, all []nn.Param) (places []int, err error) {
	for i, p := range all {
		ok, err := path.Match(pattern, p.Name)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if ok {
			places = append(places, i)
		}
	}
	if places == nil {
		names := make([]string, len(all))
		for i, p := range all {
			names[i] = p.Name
		}
		return nil, fmt.Errorf("pattern %q matches none of the parameters: %s", pattern, strings.Join(names, ", "))
	}
	return places, nil
}
