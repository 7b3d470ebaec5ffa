// Package report puts runs and evaluations on one page: an HTML file that needs nothing but itself,
// and the same as JSON beside it.
//
// It knows run directories, by package train, and evaluation folders by the files in them:
// result.json, roc.csv, cmc.csv, hardest.csv, predictions.csv. It measures nothing anew, and it
// does not know what a number means beyond its name; docs/evaluation.md does.
//
// # Guarantees
//
// Results share a table or a picture only where they answer the same question: the same protocol on
// the same pairs, with the same metric and the same exclusions. Otherwise [Write] fails, naming the
// field, or under [Options.Separate] gives each question a section of its own.
//
// Beside every number stands what it leaves out: skipped and rejected images, missing pairs, and
// the identities that training had seen. A published figure stands beside a result only where both
// follow the same protocol, completely.
//
// The same inputs give the same bytes. No path of this machine gets into the files.
package report
