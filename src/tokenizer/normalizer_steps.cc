// The steps that need no tables of their own.
#include <unicode/uchar.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/characters.h"
#include "tokenizer/normalizer_step.h"
#include "tokenizer/valid_parts.h"

namespace hearth {
namespace {

class CharacterStep final : public NormalizerStep {
 public:
  explicit CharacterStep(CharacterRule rule) : rule_(rule) {
    for (size_t code = 0; code < ascii_.size(); ++code) {
      std::string out;
      rule(static_cast<char32_t>(code), out);
      ascii_[code] = out.size() == 1 ? static_cast<uint8_t>(out[0]) : out.empty() ? kNone : kOther;
    }
  }

  NormalText run(NormalText in, RegexScratch&) const override {
    NormalText out;
    out.text.reserve(in.text.size());
    for (size_t at = 0; at < in.text.size();) {
      const auto byte = static_cast<uint8_t>(in.text[at]);
      if (byte < ascii_.size() && ascii_[byte] != kOther) {
        if (ascii_[byte] != kNone) out.text += static_cast<char>(ascii_[byte]);
        if (++at <= in.lead) out.lead = out.text.size();
        continue;
      }
      const Decoded c = decode_utf8(in.text, at);
      if (c.valid) rule_(c.code, out.text);
      else out.text.append(in.text, at, c.bytes);
      at += c.bytes;
      if (at <= in.lead) out.lead = out.text.size();
    }
    return out;
  }

 private:
  static constexpr uint8_t kNone = 0x80, kOther = 0x81;
  CharacterRule rule_;
  std::array<uint8_t, 128> ascii_{};  // what ASCII becomes: another, kNone, or kOther
};

class PrependStep final : public NormalizerStep {
 public:
  explicit PrependStep(std::string text) : text_(std::move(text)) {}

  NormalText run(NormalText in, RegexScratch&) const override {
    if (in.text.empty()) return in;
    if (in.lead > 0) in.lead += text_.size();
    in.text.insert(0, text_);
    return in;
  }

 private:
  std::string text_;
};

// Builds a text in which stretches are replaced.
class Replacer {
 public:
  Replacer(const NormalText& in, NormalText& out, std::string_view to)
      : in_(in), out_(out), to_(to) {}

  bool full() const {
    return out_.text.size() > kGrowthMax + kGrowthRatio * in_.text.size();
  }
  void replace(size_t begin, size_t end) {
    copy(begin);
    out_.text += to_;
    // What is put in counts as coming from the last byte of what it replaces.
    if (end <= in_.lead) out_.lead = out_.text.size();
    done_ = end;
  }
  void copy(size_t end) {
    const std::string_view text = in_.text;
    out_.text += text.substr(done_, end - done_);
    if (done_ < in_.lead) out_.lead = out_.text.size() - (end - std::min(end, in_.lead));
    done_ = end;
  }

 private:
  const NormalText& in_;
  NormalText& out_;
  std::string_view to_;
  size_t done_ = 0;
};

class ReplaceStep final : public NormalizerStep {
 public:
  ReplaceStep(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  NormalText run(NormalText in, RegexScratch&) const override {
    size_t found = in.text.find(from_);
    if (found == std::string::npos) return in;
    NormalText out;
    Replacer replacer(in, out, to_);
    for (; found != std::string::npos && !replacer.full();
         found = in.text.find(from_, found + from_.size()))
      replacer.replace(found, found + from_.size());
    replacer.copy(in.text.size());
    return out;
  }

 private:
  std::string from_, to_;
};

class ReplacePatternStep final : public NormalizerStep {
 public:
  ReplacePatternStep(Regex from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  NormalText run(NormalText in, RegexScratch& scratch) const override {
    NormalText out;
    Replacer replacer(in, out, to_);
    for_valid_parts(in.text, [&](std::string_view part, bool valid) {
      if (!valid) return;
      const auto offset = static_cast<size_t>(part.data() - in.text.data());
      from_.for_each(part, scratch, [&](Regex::Match match) {
        replacer.replace(offset + match.begin, offset + match.end);
        return !replacer.full();
      });
    });
    replacer.copy(in.text.size());
    return out;
  }

 private:
  Regex from_;
  std::string to_;
};

class StripStep final : public NormalizerStep {
 public:
  StripStep(bool left, bool right) : left_(left), right_(right) {}

  NormalText run(NormalText in, RegexScratch&) const override {
    const std::string_view text = in.text;
    size_t begin = 0, end = text.size();
    while (left_ && begin < end) {
      const Decoded c = decode_utf8(text, begin);
      if (!c.valid || !is_white_space(c.code)) break;
      begin += c.bytes;
    }
    while (right_ && end > begin) {
      size_t last = end - 1;
      while (last > begin && end - last < 4 && (text[last] & 0xC0) == 0x80) --last;
      const Decoded c = decode_utf8(text.substr(0, end), last);
      if (!c.valid || last + c.bytes != end || !is_white_space(c.code)) break;
      end = last;
    }
    return {std::string(text.substr(begin, end - begin)),
            std::min(in.lead, end) - std::min(in.lead, begin)};
  }

 private:
  bool left_, right_;
};

class ByteLevelStep final : public NormalizerStep {
 public:
  NormalText run(NormalText in, RegexScratch&) const override {
    NormalText out;
    append_byte_level(out.text, std::string_view(in.text).substr(0, in.lead));
    out.lead = out.text.size();
    append_byte_level(out.text, std::string_view(in.text).substr(in.lead));
    return out;
  }
};

}  // namespace

NormalizerStepPtr make_character_step(CharacterRule rule) {
  return std::make_unique<const CharacterStep>(rule);
}

NormalizerStepPtr make_prepend_step(std::string text) {
  return std::make_unique<const PrependStep>(std::move(text));
}

NormalizerStepPtr make_replace_step(std::string from, std::string to) {
  return std::make_unique<const ReplaceStep>(std::move(from), std::move(to));
}

NormalizerStepPtr make_replace_step(Regex from, std::string to) {
  return std::make_unique<const ReplacePatternStep>(std::move(from), std::move(to));
}

NormalizerStepPtr make_strip_step(bool left, bool right) {
  return std::make_unique<const StripStep>(left, right);
}

NormalizerStepPtr make_byte_level_step() { return std::make_unique<const ByteLevelStep>(); }

void lowercase_character(char32_t code, std::string& out) {
  // The one character whose small form is two.
  if (code == 0x130) out += "i\xCC\x87";
  else append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(code))));
}

void drop_marks(char32_t code, std::string& out) {
  if (!is_mark(code)) append_utf8(out, code);
}

void drop_nonspacing_marks(char32_t code, std::string& out) {
  if (!is_nonspacing_mark(code)) append_utf8(out, code);
}

void clean_bert_character(char32_t code, std::string& out) {
  const bool plain_control = code == '\t' || code == '\n' || code == '\r';
  if (!plain_control && (code == 0xFFFD || is_format_or_control(code))) return;
  if (is_white_space(code)) out += ' ';
  else append_utf8(out, code);
}

void space_chinese_character(char32_t code, std::string& out) {
  const bool chinese = is_chinese(code);
  if (chinese) out += ' ';
  append_utf8(out, code);
  if (chinese) out += ' ';
}

void clean_nmt_character(char32_t code, std::string& out) {
  const bool dropped = (code >= 0x01 && code <= 0x08) || code == 0x0B ||
                       (code >= 0x0E && code <= 0x1F) || code == 0x7F || code == 0x8F ||
                       code == 0x9F;
  if (dropped) return;
  const bool space = code == 0x09 || code == 0x0A || code == 0x0C || code == 0x0D ||
                     code == 0x1680 || (code >= 0x200B && code <= 0x200F) || code == 0x2028 ||
                     code == 0x2029 || code == 0x2581 || code == 0xFEFF || code == 0xFFFD;
  if (space) out += ' ';
  else append_utf8(out, code);
}

}  // namespace hearth
