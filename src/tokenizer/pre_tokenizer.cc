#include "tokenizer/pre_tokenizer.h"

#include "base/check.h"
#include "base/utf8.h"

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

void PreTokenizer::add_prefix_space() { steps_.push_back({.kind = Step::Kind::kPrefixSpace}); }

void PreTokenizer::add_metaspace(std::string replacement, PrependScheme scheme, bool split) {
  steps_.push_back({.kind = Step::Kind::kMetaspace, .split = split, .scheme = scheme,
                    .text = std::move(replacement)});
}

Result<void> PreTokenizer::finish(bool scanners) {
  if (steps_.size() > kStepsMax)
    return fail(Code::kUnsupported, "a pre-tokenizer of more than {} steps", kStepsMax);
  // A scanner leaves nothing between its words, so that isolating matches and dropping what lies
  // between them are the same.
  const auto plain = [](const Step& step) {
    const bool isolates = step.behavior == SplitBehavior::kIsolated && !step.invert;
    return step.kind == Step::Kind::kPattern &&
           (isolates || (step.behavior == SplitBehavior::kRemoved && step.invert));
  };
  for (size_t i = 0; scanners && i < steps_.size(); ++i) {
    if (!plain(steps_[i])) continue;
    if (const auto groups = find_digit_groups(steps_[i].text)) {
      steps_[i].kind = Step::Kind::kDigitGroups;
      steps_[i].groups = *groups;
      continue;
    }
    std::vector<std::string_view> texts = {steps_[i].text};
    if (Scanner scanner = find_scanner(texts)) {
      steps_[i].kind = Step::Kind::kScan;
      steps_[i].scanner = scanner;
      continue;
    }
    if (i + 1 == steps_.size() || !plain(steps_[i + 1])) continue;
    texts.push_back(steps_[i + 1].text);
    if (Scanner scanner = find_scanner(texts)) {
      steps_[i].kind = Step::Kind::kScan;
      steps_[i].scanner = scanner;
      steps_.erase(steps_.begin() + static_cast<ptrdiff_t>(i) + 1);
    }
  }
  for (Step& step : steps_)
    if (step.kind == Step::Kind::kPattern) step.regex = TRY(Regex::compile(step.text));
  return {};
}

void PreTokenizer::run(std::string_view text, bool first, RegexScratch& scratch,
                       const Sink& sink) const {
  if (is_valid_utf8(text)) return run_step(0, text, first, scratch, sink);
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    const bool valid = decode_utf8(text, at).valid;
    while (end < text.size()) {
      const Decoded decoded = decode_utf8(text, end);
      if (decoded.valid != valid) break;
      end += decoded.bytes;
    }
    const std::string_view piece = text.substr(at, end - at);
    if (valid) run_step(0, piece, first && at == 0, scratch, sink);
    else sink(piece);
    at = end;
  }
}

// Recursion goes as deep as there are steps: at most kStepsMax.
void PreTokenizer::run_step(size_t index, std::string_view piece, bool first,
                            RegexScratch& scratch, const Sink& sink) const {
  if (piece.empty()) return;
  if (index == steps_.size()) return sink(piece);
  const Step& step = steps_[index];
  switch (step.kind) {
    case Step::Kind::kScan:
      for (size_t at = 0; at < piece.size();) {
        const size_t end = step.scanner(piece, at);
        DCHECK(end > at);
        run_step(index + 1, piece.substr(at, end - at), first && at == 0, scratch, sink);
        at = end;
      }
      return;
    case Step::Kind::kDigitGroups:
      cut_digit_groups(piece, step.groups, [&](size_t begin, size_t end) {
        run_step(index + 1, piece.substr(begin, end - begin), first && begin == 0, scratch, sink);
      });
      return;
    case Step::Kind::kPrefixSpace:
      if (piece.starts_with(' ')) return run_step(index + 1, piece, first, scratch, sink);
      return run_step(index + 1, " " + std::string(piece), first, scratch, sink);
    case Step::Kind::kMetaspace:
      return metaspace(index, step, piece, first, scratch, sink);
    case Step::Kind::kPattern:
    case Step::Kind::kLiteral:
      return split(index, step, piece, first, scratch, sink);
  }
}

void PreTokenizer::split(size_t index, const Step& step, std::string_view piece, bool first,
                         RegexScratch& scratch, const Sink& sink) const {
  const auto search = [&](size_t from) -> std::optional<Regex::Match> {
    if (from > piece.size()) return std::nullopt;
    if (step.kind == Step::Kind::kPattern) return step.regex->search(piece, from, scratch);
    const size_t at = step.text.empty() ? std::string_view::npos : piece.find(step.text, from);
    if (at == std::string_view::npos) return std::nullopt;
    return Regex::Match{at, at + step.text.size()};
  };
  const auto emit = [&](size_t begin, size_t end) {
    run_step(index + 1, piece.substr(begin, end - begin), first && begin == 0, scratch, sink);
  };
  // `open` is the beginning of a piece that the next span may still be joined to.
  size_t open = 0;
  bool open_match = false;
  const auto close = [&](size_t begin, size_t end, bool match) {
    if (begin == end) return;
    match = match != step.invert;
    bool joins = false;
    switch (step.behavior) {
      case SplitBehavior::kIsolated: break;
      case SplitBehavior::kRemoved: break;
      case SplitBehavior::kContiguous: joins = match == open_match; break;
      case SplitBehavior::kMergedWithPrevious: joins = match && !open_match; break;
      case SplitBehavior::kMergedWithNext: joins = !match && open_match; break;
    }
    if (!joins) {
      if (!(step.behavior == SplitBehavior::kRemoved && open_match)) emit(open, begin);
      open = begin;
    }
    open_match = match;
  };
  size_t done = 0, from = 0;
  while (auto found = search(from)) {
    close(done, found->begin, false);
    if (found->begin == found->end) {
      // An empty match cuts and takes nothing; the search goes on one character later.
      if (found->begin > open && step.behavior != SplitBehavior::kRemoved) {
        emit(open, found->begin);
        open = found->begin;
      }
      done = found->begin;
      from = done < piece.size() ? done + decode_utf8(piece, done).bytes : done + 1;
      continue;
    }
    close(found->begin, found->end, true);
    done = from = found->end;
  }
  close(done, piece.size(), false);
  if (!(step.behavior == SplitBehavior::kRemoved && open_match)) emit(open, piece.size());
}

void PreTokenizer::metaspace(size_t index, const Step& step, std::string_view piece, bool first,
                             RegexScratch& scratch, const Sink& sink) const {
  std::string text;
  text.reserve(piece.size() + piece.size() / 2 + step.text.size());
  for (const char c : piece) {
    if (c == ' ') text += step.text;
    else text += c;
  }
  const bool wanted = step.scheme == PrependScheme::kAlways ||
                      (step.scheme == PrependScheme::kFirst && first);
  if (wanted && !text.starts_with(step.text)) text.insert(0, step.text);
  if (!step.split || step.text.empty()) return run_step(index + 1, text, first, scratch, sink);
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find(step.text, text.compare(at, step.text.size(), step.text) == 0
                                          ? at + step.text.size() : at);
    if (end == std::string::npos) end = text.size();
    run_step(index + 1, std::string_view(text).substr(at, end - at), first && at == 0, scratch,
             sink);
    at = end;
  }
}

}  // namespace hearth
