// Package chart draws the few pictures that a report needs: lines, bars, histograms and matrices
// of counts, as PNG for viewers and as SVG for pages.
//
// It knows numbers and names; it does not know what they measure. Text is set in Liberation
// Sans, which is compiled in, so a PNG looks alike on a machine without fonts; an SVG names
// that font, then Arial, which has the same widths.
//
// # Guarantees
//
// The same input gives the same bytes (on one CPU architecture: a rounded coordinate may differ
// between two). Input that can't be drawn (nothing at all, NaN, an infinity, a value of zero or
// less on a logarithmic axis) is an error that names the series and the place, never a panic or
// a picture with a hole in it. A single point is drawn as a dot.
package chart
