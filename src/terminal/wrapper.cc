#include "terminal/wrapper.h"

#include <algorithm>

#include "terminal/width.h"

namespace hearth::terminal {

void Wrapper::text(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = next_cluster(text, at);
    const std::string_view cluster = text.substr(at, end - at);
    at = end;
    if (cluster == " " || cluster == "\t") {
      end_word();
      spaces_ += cluster == "\t" ? "    " : " ";
      continue;
    }
    const int width = width_of(cluster);
    // Chinese and Japanese may be broken at any character.
    if (width == 2 && word_width_ > 0) end_word();
    put(cluster, width);
    if (width == 2) end_word();
  }
}

// A word that is wider than a whole line is broken where the line ends.
void Wrapper::put(std::string_view cluster, int width) {
  const int columns = std::max(columns_(), 8);
  if (word_width_ + width > columns - hang_) end_word();
  word_ += cluster;
  word_width_ += width;
}

void Wrapper::end_word() {
  const int columns = std::max(columns_(), 8);
  const int gap = static_cast<int>(spaces_.size());
  if (word_width_ > 0) {
    if (column_ > 0 && column_ + gap + word_width_ > columns) {
      break_line();
    } else {
      out_ += spaces_;
      column_ += gap;
    }
    spaces_.clear();
  }
  out_ += word_;
  column_ += word_width_;
  word_.clear();
  word_width_ = 0;
}

void Wrapper::break_line() {
  out_ += '\n';
  out_.append(static_cast<size_t>(hang_), ' ');
  column_ = hang_;
}

void Wrapper::newline() {
  end_word();
  spaces_.clear();
  out_ += '\n';
  column_ = 0;
  hang_ = 0;
}

std::vector<std::string> wrapped_lines(std::string_view text, int width) {
  Wrapper wrapper([width] { return width; });
  wrapper.text(text);
  wrapper.end_word();
  std::vector<std::string> lines;
  const std::string wrapped = wrapper.take();
  for (size_t at = 0; at <= wrapped.size();) {
    const size_t end = std::min(wrapped.find('\n', at), wrapped.size());
    lines.push_back(wrapped.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace hearth::terminal
