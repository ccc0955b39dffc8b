// Modelfile: the recipe that `hearth create` follows, in Ollama's grammar.
//
// Lines of an instruction and its value; instructions in any case and order; '#' at the beginning
// of a line is a comment. A value in "..." or """...""" may go over several lines: it ends with the
// first line whose end is the closing quote, and nothing in it is escaped.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/options.h"
#include "base/result.h"
#include "registry/resolve.h"

namespace hearth {

struct Modelfile {
  // FROM: a path, a model name or sha256:HEX; the first is the model, further ones are projectors.
  struct Source {
    std::string text;
    int line = 0;
  };
  std::vector<Source> from;
  std::vector<Source> adapters;
  Options parameters;                       // bag over parameter_rows()
  std::optional<std::string> system;        // the last one counts
  std::optional<std::string> template_text;
  std::vector<std::string> licenses;
  std::vector<SeedMessage> messages;
  // RENDERER, PARSER, REQUIRES: kept in the config blob for other programs.
  std::vector<std::pair<std::string, std::string>> extras;
  std::vector<std::string> warnings;        // parameters that no longer do anything

  static constexpr uint64_t kBytesMax = 16 << 20;

  // kInvalid with "line N: ..."; a text without FROM is one, too.
  static Result<Modelfile> parse(std::string_view text);
};

// A value as parse() reads it back: in quotes only where it needs them. None for the few values
// that the language cannot hold: a quote ends at the first line that ends with it, and nothing
// escapes it, so that a line before the last must not end in three quotes.
std::optional<std::string> quote_modelfile_value(std::string_view value);

}  // namespace hearth
