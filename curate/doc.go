// Package curate finds what is wrong with a data set that is otherwise well formed.
package curate
