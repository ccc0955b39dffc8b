#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/valid_parts.h"

namespace hearth {

Result<void> PreTokenizer::add_split(std::string pattern, SplitBehavior behavior, bool invert) {
  if (steps_.size() == kStepsMax)
    return fail(Code::kUnsupported, "a pre-tokenizer of more than {} steps", kStepsMax);
  steps_.push_back({.kind = Step::Kind::kPattern, .behavior = behavior, .invert = invert,
                    .text = std::move(pattern)});
  return {};
}

void PreTokenizer::add_literal_split(std::string text, SplitBehavior behavior, bool invert) {
  steps_.push_back({.kind = Step::Kind::kLiteral, .behavior = behavior, .invert = invert,
                    .text = std::move(text)});
}

void PreTokenizer::add_character_split(CharacterSet set, SplitBehavior behavior) {
  Step step{.kind = Step::Kind::kCharacters, .behavior = behavior, .set = set};
  for (size_t code = 0; code < step.ascii.size(); ++code)
    step.ascii[code] = set(static_cast<char32_t>(code));
  steps_.push_back(std::move(step));
}

void PreTokenizer::add_cut(Cutter cut) {
  steps_.push_back({.kind = Step::Kind::kCut, .cut = std::move(cut)});
}

void PreTokenizer::add_prefix_space() { steps_.push_back({.kind = Step::Kind::kPrefixSpace}); }

void PreTokenizer::add_metaspace(std::string replacement, PrependScheme scheme, bool split) {
  steps_.push_back({.kind = Step::Kind::kMetaspace, .split = split, .scheme = scheme,
                    .text = std::move(replacement)});
}

void PreTokenizer::add_byte_level() {
  byte_level_ = true;
  steps_.push_back({.kind = Step::Kind::kByteLevel});
}

namespace {

// What is left of `lead` bytes in a piece that begins at `begin`.
size_t rest_of(size_t lead, size_t begin) { return begin < lead ? lead - begin : 0; }

// A scanner leaves nothing between its words, so that isolating matches and dropping what lies
// between them are the same.
bool leaves_words(SplitBehavior behavior, bool invert) {
  return behavior == (invert ? SplitBehavior::kRemoved : SplitBehavior::kIsolated);
}

}  // namespace

// Replaces the patterns at `index` by a scanner that does their work, if there is one.
bool PreTokenizer::add_scanner(size_t index) {
  const auto plain = [&](size_t i) {
    return i < steps_.size() && steps_[i].kind == Step::Kind::kPattern &&
           leaves_words(steps_[i].behavior, steps_[i].invert);
  };
  std::vector<std::string_view> texts;
  for (size_t count = 1; count <= 2 && plain(index + count - 1); ++count) {
    texts.push_back(steps_[index + count - 1].text);
    const Scanner scanner = find_scanner(texts);
    if (!scanner) continue;
    const auto at = steps_.begin() + static_cast<ptrdiff_t>(index);
    at->kind = Step::Kind::kScan;
    at->scanner = scanner;
    steps_.erase(at + 1, at + static_cast<ptrdiff_t>(count));
    return true;
  }
  return false;
}

bool PreTokenizer::drop_byte_level() {
  const auto is_byte_level = [](const Step& step) { return step.kind == Step::Kind::kByteLevel; };
  const auto found = std::find_if(steps_.begin(), steps_.end(), is_byte_level);
  if (found == steps_.end()) return false;
  for (auto step = found + 1; step != steps_.end(); ++step)
    if (step->kind != Step::Kind::kPattern || step->text != patterns::kThreeDigits) return false;
  steps_.erase(found);
  byte_level_ = false;
  return true;
}

Result<void> PreTokenizer::finish(bool scanners) {
  if (steps_.size() > kStepsMax)
    return fail(Code::kUnsupported, "a pre-tokenizer of more than {} steps", kStepsMax);
  // Each of them may double the text.
  constexpr ptrdiff_t kByteLevelsMax = 4;
  const auto is_byte_level = [](const Step& step) { return step.kind == Step::Kind::kByteLevel; };
  if (std::count_if(steps_.begin(), steps_.end(), is_byte_level) > kByteLevelsMax)
    return fail(Code::kUnsupported, "a pre-tokenizer of more than {} ByteLevel steps",
                kByteLevelsMax);
  for (size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    // An empty literal matches between all characters, which only the patterns' engine knows.
    if (step.kind == Step::Kind::kLiteral && step.text.empty()) step.kind = Step::Kind::kPattern;
    if (step.kind != Step::Kind::kPattern) continue;
    if (scanners && leaves_words(step.behavior, step.invert)) {
      if (const auto groups = find_digit_groups(step.text)) {
        step.kind = Step::Kind::kCut;
        step.cut = cut_by_digit_groups(*groups);
        continue;
      }
      if (add_scanner(i)) continue;
    }
    steps_[i].regex = TRY(Regex::compile(steps_[i].text));
  }
  return {};
}

void PreTokenizer::run(std::string_view text, size_t lead, RegexScratch& scratch,
                       const Sink& sink) const {
  for_valid_parts(text, [&](std::string_view part, bool valid) {
    const auto begin = static_cast<size_t>(part.data() - text.data());
    if (valid) return run_step(0, part, rest_of(lead, begin), scratch, sink);
    if (!byte_level_) return sink(part);
    std::string written;
    append_byte_level(written, part);
    sink(written);
  });
}

// Recursion goes as deep as there are steps: at most kStepsMax.
void PreTokenizer::run_step(size_t index, std::string_view piece, size_t lead,
                            RegexScratch& scratch, const Sink& sink) const {
  if (piece.empty()) return;
  if (index == steps_.size()) return sink(piece);
  const Step& step = steps_[index];
  switch (step.kind) {
    case Step::Kind::kScan:
      for (size_t at = 0; at < piece.size();) {
        const size_t end = step.scanner(piece, at);
        DCHECK(end > at);
        run_step(index + 1, piece.substr(at, end - at), rest_of(lead, at), scratch, sink);
        at = end;
      }
      return;
    case Step::Kind::kCut:
      step.cut(piece, [&](size_t begin, size_t end) {
        run_step(index + 1, piece.substr(begin, end - begin), rest_of(lead, begin), scratch, sink);
      });
      return;
    case Step::Kind::kPattern:
    case Step::Kind::kLiteral:
    case Step::Kind::kCharacters:
      return split(index, step, piece, lead, scratch, sink);
    case Step::Kind::kPrefixSpace:
    case Step::Kind::kByteLevel:
      return run_rewritten(index, step, piece, lead, scratch, sink);
    case Step::Kind::kMetaspace:
      return metaspace(index, step, piece, lead, scratch, sink);
  }
}

void PreTokenizer::run_rewritten(size_t index, const Step& step, std::string_view piece,
                                 size_t lead, RegexScratch& scratch, const Sink& sink) const {
  std::string text;
  if (step.kind == Step::Kind::kByteLevel) {
    lead = std::min(lead, piece.size());
    append_byte_level(text, piece.substr(0, lead));
    piece.remove_prefix(lead);
    lead = text.size();
    append_byte_level(text, piece);
  } else {
    if (piece.starts_with(' ')) return run_step(index + 1, piece, lead, scratch, sink);
    if (lead > 0) ++lead;
    text = " ";
    text += piece;
  }
  run_step(index + 1, text, lead, scratch, sink);
}

namespace {

// Joins matches with what lies between them as a behavior says. Empty matches count: they part
// what is around them.
class Joiner {
 public:
  Joiner(SplitBehavior behavior, bool invert) : behavior_(behavior), invert_(invert) {}

  template <class Emit>
  void add(size_t begin, size_t end, bool match, Emit&& emit) {
    match = match != invert_;
    if (open_ && joins(match)) {
      end_ = end;
    } else {
      close(emit);
      begin_ = begin;
      end_ = end;
    }
    open_ = true;
    match_ = match;
  }

  template <class Emit>
  void close(Emit&& emit) {
    const bool removed = behavior_ == SplitBehavior::kRemoved && match_;
    if (open_ && !removed && begin_ < end_) emit(begin_, end_);
  }

 private:
  bool joins(bool match) const {
    switch (behavior_) {
      case SplitBehavior::kIsolated: return false;
      case SplitBehavior::kRemoved: return false;
      case SplitBehavior::kContiguous: return match == match_;
      case SplitBehavior::kMergedWithPrevious: return match && !match_;
      case SplitBehavior::kMergedWithNext: return !match && match_;
    }
    return false;
  }

  SplitBehavior behavior_;
  bool invert_, open_ = false, match_ = false;
  size_t begin_ = 0, end_ = 0;
};

}  // namespace

void PreTokenizer::split(size_t index, const Step& step, std::string_view piece, size_t lead,
                         RegexScratch& scratch, const Sink& sink) const {
  const auto emit = [&](size_t begin, size_t end) {
    run_step(index + 1, piece.substr(begin, end - begin), rest_of(lead, begin), scratch, sink);
  };
  Joiner joiner(step.behavior, step.invert);
  size_t done = 0;
  const auto found = [&](size_t begin, size_t end) {
    if (done < begin) joiner.add(done, begin, false, emit);
    joiner.add(begin, end, true, emit);
    done = end;
  };
  if (step.kind == Step::Kind::kPattern) {
    step.regex->for_each(piece, scratch, [&](Regex::Match match) {
      found(match.begin, match.end);
      return true;
    });
  } else if (step.kind == Step::Kind::kLiteral) {
    for (size_t at = 0; (at = piece.find(step.text, at)) != std::string_view::npos; at = done)
      found(at, at + step.text.size());
  } else {
    for (size_t at = 0; at < piece.size();) {
      const auto byte = static_cast<uint8_t>(piece[at]);
      if (byte < step.ascii.size()) {
        if (step.ascii[byte]) found(at, at + 1);
        ++at;
        continue;
      }
      const Decoded c = decode_utf8(piece, at);
      if (step.set(c.code)) found(at, at + c.bytes);
      at += c.bytes;
    }
  }
  if (done < piece.size()) joiner.add(done, piece.size(), false, emit);
  joiner.close(emit);
}

void PreTokenizer::metaspace(size_t index, const Step& step, std::string_view piece, size_t lead,
                             RegexScratch& scratch, const Sink& sink) const {
  std::string text;
  text.reserve(piece.size() + piece.size() / 2 + step.text.size());
  size_t lead_out = 0;
  for (size_t at = 0; at < piece.size(); ++at) {
    if (piece[at] == ' ') text += step.text;
    else text += piece[at];
    if (at < lead) lead_out = text.size();
  }
  lead = lead_out;
  const bool wanted = step.scheme == PrependScheme::kAlways ||
                      (step.scheme == PrependScheme::kFirst && lead > 0);
  if (wanted && !text.starts_with(step.text)) {
    text.insert(0, step.text);
    if (lead > 0) lead += step.text.size();
  }
  if (!step.split || step.text.empty()) return run_step(index + 1, text, lead, scratch, sink);
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find(step.text, text.compare(at, step.text.size(), step.text) == 0
                                          ? at + step.text.size() : at);
    if (end == std::string::npos) end = text.size();
    run_step(index + 1, std::string_view(text).substr(at, end - at), rest_of(lead, at), scratch,
             sink);
    at = end;
  }
}

}  // namespace hearth
