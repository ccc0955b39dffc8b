#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/utf8.h"

namespace hearth {

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  ~Code() { pcre2_code_free(code); }
};

struct RegexScratch::State {
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_jit_stack* stack = nullptr;
  ~State() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
};

RegexScratch::RegexScratch() : state_(std::make_unique<State>()) {
  constexpr size_t kStackStart = 32 * 1024, kStackMax = 8 * 1024 * 1024;
  state_->data = pcre2_match_data_create(1, nullptr);
  state_->context = pcre2_match_context_create(nullptr);
  state_->stack = pcre2_jit_stack_create(kStackStart, kStackMax, nullptr);
  CHECK(state_->data && state_->context);
  if (state_->stack) pcre2_jit_stack_assign(state_->context, nullptr, state_->stack);
}
RegexScratch::~RegexScratch() = default;

Regex::Regex(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern) {
  constexpr size_t kPatternBytesMax = 64 * 1024;
  if (pattern.size() > kPatternBytesMax)
    return fail(hearth::Code::kTooLarge, "a pre-tokenizer pattern of {} bytes (at most {})",
                pattern.size(), kPatternBytesMax);
  const std::string translated = TRY(translate_pattern(pattern));
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_unique<Code>();
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, nullptr);
  if (!code->code) {
    std::array<PCRE2_UCHAR, 160> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return fail(hearth::Code::kCorrupt, "pre-tokenizer pattern '{}': {} at offset {}",
                replace_invalid_utf8(pattern.substr(0, 200)),
                reinterpret_cast<const char*>(text.data()), offset);
  }
  code->jit = pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  return Regex(std::move(code));
}

std::optional<Regex::Match> Regex::search(std::string_view text, size_t from,
                                          RegexScratch& scratch) const {
  constexpr size_t kStepsMin = 100'000, kStepsPerByte = 64, kStepsMax = 2'000'000'000;
  auto& state = *scratch.state_;
  const size_t steps = std::min(kStepsMin + kStepsPerByte * (text.size() - from), kStepsMax);
  pcre2_set_match_limit(state.context, static_cast<uint32_t>(steps));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int found = PCRE2_ERROR_JIT_STACKLIMIT;
  if (code_->jit)
    found = pcre2_jit_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                            state.data, state.context);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT)
    found = pcre2_match(code_->code, subject, text.size(), from,
                        PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, state.data, state.context);
  if (found < 0) return std::nullopt;
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(state.data);
  if (ends[0] > ends[1] || ends[0] < from) return std::nullopt;  // \K and its like
  return Match{ends[0], ends[1]};
}

}  // namespace hearth
