#include <optional>

#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/decoder_step.h"

namespace hearth {
namespace {

// A step whose stage is made of the parameters and the next stage.
template <class Stage, class Options>
class StepOf final : public DecoderStep {
 public:
  explicit StepOf(Options options) : options_(std::move(options)) {}
  std::unique_ptr<DecoderStage> start(DecoderStage& next, bool last) const override {
    return std::make_unique<Stage>(options_, next, last);
  }

 private:
  Options options_;
};

template <class Stage, class Options>
DecoderStepPtr step_of(Options options) {
  return std::make_shared<const StepOf<Stage, Options>>(std::move(options));
}

// A stage that wants whole tokens.
class TokenStage : public DecoderStage {
 public:
  explicit TokenStage(DecoderStage& next) : next_(next) {}
  void text(std::string_view piece) final { token_ += piece; }
  void end() final {
    token(token_);
    token_.clear();
  }
  void finish(bool middle) override { next_.finish(middle); }

 protected:
  virtual void token(std::string_view token) = 0;
  void pass(std::string_view token) {
    next_.text(token);
    next_.end();
  }

  DecoderStage& next_;

 private:
  std::string token_;
};

struct None {};

class JoinStage final : public DecoderStage {
 public:
  JoinStage(const std::string& separator, DecoderStage& next, bool)
      : separator_(separator), next_(next) {}
  void text(std::string_view piece) override {
    if (!open_ && !first_) next_.text(separator_);
    open_ = true;
    next_.text(piece);
  }
  void end() override {
    if (!open_) text({});
    open_ = first_ = false;
  }
  void finish(bool middle) override {
    next_.end();
    next_.finish(middle);
  }
  void skip_start() override { first_ = false; }

 private:
  const std::string& separator_;
  DecoderStage& next_;
  bool first_ = true, open_ = false;
};

class FuseStage final : public DecoderStage {
 public:
  FuseStage(const None&, DecoderStage& next, bool) : next_(next) {}
  void text(std::string_view piece) override { next_.text(piece); }
  void end() override {}
  void finish(bool middle) override {
    next_.end();
    next_.finish(middle);
  }

 private:
  DecoderStage& next_;
};

struct Literal {
  std::string from, to;
};

// Keeps back only what may be the beginning of a match.
class LiteralReplaceStage final : public DecoderStage {
 public:
  LiteralReplaceStage(const Literal& literal, DecoderStage& next, bool)
      : literal_(literal), next_(next) {}

  void text(std::string_view piece) override {
    held_ += piece;
    std::string out;
    size_t at = 0;
    for (size_t found; (found = held_.find(literal_.from, at)) != std::string::npos;
         at = found + literal_.from.size()) {
      if (!may_grow(literal_.from.size(), literal_.to.size())) break;
      out.append(held_, at, found - at);
      out += literal_.to;
    }
    size_t keep = std::min(literal_.from.size() - 1, held_.size() - at);
    while (!literal_.from.starts_with(std::string_view(held_).substr(held_.size() - keep))) --keep;
    out.append(held_, at, held_.size() - keep - at);
    held_.erase(0, held_.size() - keep);
    if (!out.empty()) next_.text(out);
  }
  void end() override {
    if (!held_.empty()) next_.text(held_);
    held_.clear();
    next_.end();
  }
  void finish(bool middle) override { next_.finish(middle); }

 private:
  const Literal& literal_;
  DecoderStage& next_;
  std::string held_;
};

struct Pattern {
  std::shared_ptr<const Regex> from;
  std::string to;
};

class PatternReplaceStage final : public TokenStage {
 public:
  PatternReplaceStage(const Pattern& pattern, DecoderStage& next, bool)
      : TokenStage(next), pattern_(pattern) {}

 private:
  void token(std::string_view token) override {
    const std::string text = replace_invalid_utf8(token);
    std::string out;
    size_t at = 0;
    // An empty token meets no pattern.
    if (!text.empty()) {
      pattern_.from->for_each(text, scratch_, [&](Regex::Match match) {
        if (!may_grow(match.end - match.begin, pattern_.to.size())) return false;
        out.append(text, at, match.begin - at);
        out += pattern_.to;
        at = match.end;
        return true;
      });
    }
    pass(out.append(text, at));
  }

  const Pattern& pattern_;
  RegexScratch scratch_;
};

struct StripOptions {
  std::string content;
  size_t start, stop;
};

class StripStage final : public DecoderStage {
 public:
  StripStage(const StripOptions& options, DecoderStage& next, bool)
      : options_(options), next_(next), left_(options.start) {}

  void text(std::string_view piece) override {
    std::string out;
    for (size_t at = 0; at < piece.size();) {
      const size_t bytes = decode_utf8(piece, at).bytes;
      const std::string_view character = piece.substr(at, bytes);
      at += bytes;
      const bool content = character == options_.content;
      if (content && left_ > 0) {
        --left_;
        continue;
      }
      left_ = 0;
      if (content && held_ < options_.stop) {
        ++held_;
      } else {
        if (!content) put_held(out);
        out += character;
      }
    }
    if (!out.empty()) next_.text(out);
  }
  void end() override {
    held_ = 0;
    left_ = options_.start;
    next_.end();
  }
  void finish(bool middle) override {
    next_.finish(middle);
  }
  void skip_start() override { left_ = 0; }

 private:
  void put_held(std::string& out) {
    for (; held_ > 0; --held_) out += options_.content;
  }

  const StripOptions& options_;
  DecoderStage& next_;
  size_t left_;      // characters that the front may still lose
  size_t held_ = 0;  // characters that the end would lose
};

class ByteLevelStage final : public TokenStage {
 public:
  ByteLevelStage(const None&, DecoderStage& next, bool last) : TokenStage(next), raw_(last) {}
  void finish(bool middle) override {
    if (!raw_) next_.text(utf8_.finish());
    next_.end();
    TokenStage::finish(middle);
  }

 private:
  void token(std::string_view token) override {
    std::string bytes;
    if (!append_from_byte_level(bytes, token)) bytes = token;
    next_.text(raw_ ? bytes : utf8_.push(bytes));
  }

  bool raw_;
  Utf8Stream utf8_;
};

class ByteFallbackStage final : public TokenStage {
 public:
  ByteFallbackStage(const None&, DecoderStage& next, bool) : TokenStage(next) {}
  void finish(bool middle) override {
    if (middle && !bytes_.empty()) pass(std::exchange(bytes_, {}));
    flush();
    TokenStage::finish(middle);
  }

 private:
  void token(std::string_view token) override {
    const int byte = byte_of_entry(token);
    if (byte >= 0) {
      bytes_.push_back(static_cast<char>(byte));
      return;
    }
    flush();
    pass(token);
  }
  // One wrong byte spoils the whole run.
  void flush() {
    if (bytes_.empty()) return;
    if (is_valid_utf8(bytes_)) {
      pass(bytes_);
    } else {
      for (size_t i = 0; i < bytes_.size(); ++i) pass("\uFFFD");
    }
    bytes_.clear();
  }

  std::string bytes_;
};

struct MetaspaceOptions {
  std::string replacement;
  bool drops_first;
};

class MetaspaceStage final : public TokenStage {
 public:
  MetaspaceStage(const MetaspaceOptions& options, DecoderStage& next, bool)
      : TokenStage(next), options_(options) {}
  void skip_start() override { first_ = false; }

 private:
  void token(std::string_view token) override {
    const bool drops = first_ && options_.drops_first;
    first_ = false;
    pass(replaced(token, options_.replacement, drops ? "" : " "));
  }

  const MetaspaceOptions& options_;
  bool first_ = true;
};

struct WordPieceOptions {
  std::string prefix;
  bool cleanup;
};

class WordPieceStage final : public TokenStage {
 public:
  WordPieceStage(const WordPieceOptions& options, DecoderStage& next, bool)
      : TokenStage(next), options_(options) {}
  void skip_start() override { first_ = false; }

 private:
  void token(std::string_view token) override {
    std::string text;
    if (first_) {
      text = token;
    } else if (token.starts_with(options_.prefix)) {
      text = token.substr(options_.prefix.size());
    } else {
      text = " ";
      text += token;
    }
    first_ = false;
    pass(options_.cleanup ? without_spaces_before_endings(text) : text);
  }

  const WordPieceOptions& options_;
  bool first_ = true;
};

// One token is kept back, since the last loses its suffix.
class SuffixStage final : public TokenStage {
 public:
  SuffixStage(const std::string& suffix, DecoderStage& next, bool)
      : TokenStage(next), suffix_(suffix) {}
  void finish(bool middle) override {
    if (held_) pass(replaced(*held_, suffix_, middle ? " " : ""));
    held_.reset();
    TokenStage::finish(middle);
  }

 private:
  void token(std::string_view token) override {
    if (held_) pass(replaced(*held_, suffix_, " "));
    held_ = token;
  }

  const std::string& suffix_;
  std::optional<std::string> held_;
};

struct CtcOptions {
  std::string pad, delimiter;
  bool cleanup;
};

class CtcStage final : public TokenStage {
 public:
  CtcStage(const CtcOptions& options, DecoderStage& next, bool)
      : TokenStage(next), options_(options) {}

 private:
  void token(std::string_view token) override {
    if (last_ == token) return;
    last_ = token;
    std::string text = replaced(token, options_.pad, "");
    if (options_.cleanup)
      text = replaced(without_spaces_before_endings(text), options_.delimiter, " ");
    if (!text.empty()) pass(text);
  }

  const CtcOptions& options_;
  std::optional<std::string> last_;
};

}  // namespace

DecoderStepPtr make_join_step(std::string separator) {
  return step_of<JoinStage>(std::move(separator));
}
DecoderStepPtr make_fuse_step() { return step_of<FuseStage>(None()); }
DecoderStepPtr make_literal_replace_step(std::string from, std::string to) {
  return step_of<LiteralReplaceStage>(Literal{std::move(from), std::move(to)});
}
DecoderStepPtr make_pattern_replace_step(Regex from, std::string to) {
  return step_of<PatternReplaceStage>(
      Pattern{std::make_shared<const Regex>(std::move(from)), std::move(to)});
}
DecoderStepPtr make_token_strip_step(std::string content, size_t start, size_t stop) {
  return step_of<StripStage>(StripOptions{std::move(content), start, stop});
}
DecoderStepPtr make_byte_level_decoder_step() { return step_of<ByteLevelStage>(None()); }
DecoderStepPtr make_byte_fallback_step() { return step_of<ByteFallbackStage>(None()); }
DecoderStepPtr make_metaspace_step(std::string replacement, bool drops_first) {
  return step_of<MetaspaceStage>(MetaspaceOptions{std::move(replacement), drops_first});
}
DecoderStepPtr make_wordpiece_step(std::string prefix, bool cleanup) {
  return step_of<WordPieceStage>(WordPieceOptions{std::move(prefix), cleanup});
}
DecoderStepPtr make_suffix_step(std::string suffix) {
  return step_of<SuffixStage>(std::move(suffix));
}
DecoderStepPtr make_ctc_step(std::string pad, std::string delimiter, bool cleanup) {
  return step_of<CtcStage>(CtcOptions{std::move(pad), std::move(delimiter), cleanup});
}

std::string DecoderStage::replaced(std::string_view text, std::string_view from,
                                   std::string_view to) {
  std::string out;
  if (from.empty()) {
    size_t characters = 1;
    for (size_t at = 0; at < text.size(); ++characters) at += decode_utf8(text, at).bytes;
    if (!may_grow(0, characters * to.size())) return std::string(text);
    for (size_t at = 0; at < text.size();) {
      const size_t bytes = decode_utf8(text, at).bytes;
      out += to;
      out += text.substr(at, bytes);
      at += bytes;
    }
    return out += to;
  }
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != std::string_view::npos;
       at = found + from.size()) {
    if (!may_grow(from.size(), to.size())) break;
    out += text.substr(at, found - at);
    out += to;
  }
  return out += text.substr(at);
}

std::string without_spaces_before_endings(std::string_view text) {
  constexpr std::pair<const char*, const char*> kEndings[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},           {" ,", ","},   {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"},
      {" 're", "'re"}};
  std::string out(text);
  for (const auto& [from, to] : kEndings) {
    std::string next;
    size_t at = 0;
    for (size_t found; (found = out.find(from, at)) != std::string::npos;
         at = found + std::string_view(from).size()) {
      next.append(out, at, found - at);
      next += to;
    }
    out = next.append(out, at);
  }
  return out;
}

}  // namespace hearth
