#include "registry/modelfile.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/out_of_memory.h"
#include "base/utf8.h"
#include "registry/parameters.h"

namespace hearth {
namespace {

constexpr std::string_view kBlank = " \t\n\r\f\v";
constexpr std::string_view kTriple = "\"\"\"";
constexpr std::string_view kInstructions[] = {"from",    "template", "system",   "adapter",
                                              "license", "parameter", "message", "renderer",
                                              "parser",  "requires", "draft"};

std::string_view trim(std::string_view text) {
  size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// The first word, cut off `text` together with the blanks around it.
std::string_view take_word(std::string_view& text) {
  text = trim(text);
  size_t end = std::min(text.find_first_of(kBlank), text.size());
  std::string_view word = text.substr(0, end);
  text = trim(text.substr(end));
  return word;
}

class ModelfileParser {
 public:
  explicit ModelfileParser(std::string text) : text_(std::move(text)) {}

  Result<Modelfile> run() {
    out_.parameters = Options(parameter_rows());
    while (at_ < text_.size()) {
      std::string_view line = trim(next_line());
      start_ = line_;
      if (line.empty() || line[0] == '#') continue;
      std::string_view rest = line;
      std::string word = lower(take_word(rest));
      if (std::ranges::find(kInstructions, word) == std::end(kInstructions))
        return error("'{}' is no instruction; there are {}", word.substr(0, 40),
                     fmt::join(kInstructions, ", "));
      TRY(instruction(word, rest));
    }
    if (out_.from.empty())
      return fail(Code::kInvalid, "the Modelfile has no FROM; say which model it starts from");
    return std::move(out_);
  }

 private:
  template <class... Args>
  std::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(Code::kInvalid, "line {}: {}", start_,
                fmt::format(format, std::forward<Args>(args)...));
  }

  std::string_view next_line() {
    size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view line = std::string_view(text_).substr(at_, end - at_);
    at_ = end + 1;
    ++line_;
    return line;
  }

  // The value that begins with `rest` on the current line and may go on below.
  Result<std::string> value(std::string_view rest) {
    rest = trim(rest);
    std::string_view quote = rest.starts_with(kTriple) ? kTriple
                             : rest.starts_with('"')   ? kTriple.substr(0, 1)
                                                       : std::string_view();
    if (quote.empty()) return std::string(rest);
    std::string_view whole = rest;  // grows line by line within text_, without blanks at its end
    while (whole.size() < 2 * quote.size() || !whole.ends_with(quote)) {
      if (at_ >= text_.size())
        return error("the quote {} is not closed before the end of the file", quote);
      if (trim(next_line()).empty()) continue;  // looked at once, however many there are
      size_t end = std::min(at_ - 1, text_.size());
      whole = std::string_view(rest.data(), static_cast<size_t>(text_.data() + end - rest.data()));
      whole = whole.substr(0, whole.find_last_not_of(kBlank) + 1);
    }
    whole.remove_prefix(quote.size());
    whole.remove_suffix(quote.size());
    return std::string(whole);
  }

  Result<void> instruction(std::string_view word, std::string_view rest) {
    if (word == "parameter") return parameter(rest);
    if (word == "message") return message(rest);
    std::string text = TRY(value(rest));
    if (word == "system") return keep(out_.system, std::move(text));
    if (word == "template") return keep(out_.template_text, std::move(text));
    if (trim(text).empty()) return error("{} needs a value", word);
    if (word == "from") out_.from.push_back({std::move(text), start_});
    else if (word == "adapter") out_.adapters.push_back({std::move(text), start_});
    else if (word == "license") out_.licenses.push_back(std::move(text));
    else if (word == "draft") return error("draft models are not supported; drop the line");
    else out_.extras.emplace_back(word, std::move(text));
    return {};
  }

  static Result<void> keep(std::optional<std::string>& slot, std::string text) {
    slot = std::move(text);
    return {};
  }

  Result<void> parameter(std::string_view rest) {
    std::string name = lower(take_word(rest));
    std::string text = TRY(value(rest));
    if (name.empty()) return error("parameter needs a name and a value");
    const OptionRow* row = out_.parameters.find_row(name);
    if (row == nullptr) {
      std::vector<std::string_view> names;
      for (const OptionRow& known : parameter_rows())
        if (!known.hidden) names.push_back(known.name);
      std::string_view near = nearest_name(name, names);
      if (!near.empty()) return error("unknown parameter '{}'; did you mean {}?", name, near);
      return error("unknown parameter '{}'; there are {}", name, fmt::join(names, ", "));
    }
    if (text.empty()) return error("parameter {} needs a value: {}", name, accepted(*row));
    if (auto set = out_.parameters.set(name, text); !set) return error("{}", set.error().message);
    if (row->hidden)
      out_.warnings.push_back(fmt::format("line {}: parameter {} has no effect any more", start_,
                                          name));
    return {};
  }

  Result<void> message(std::string_view rest) {
    std::string role = lower(take_word(rest));
    if (role != "system" && role != "user" && role != "assistant")
      return error("the role '{}' must be system, user or assistant", role);
    std::string text = TRY(value(rest));
    if (text.empty()) return error("message {} has no text", role);
    out_.messages.push_back({std::move(role), std::move(text)});
    return {};
  }

  std::string text_;
  size_t at_ = 0;
  int line_ = 0;   // of the line read last, from 1
  int start_ = 0;  // where the current instruction began
  Modelfile out_;
};

Result<Modelfile> parse_text(std::string_view text) {
  if (text.size() > Modelfile::kBytesMax)
    return fail(Code::kTooLarge, "the Modelfile is larger than {} bytes", Modelfile::kBytesMax);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return fail(Code::kInvalid, "the Modelfile is UTF-16; save it as UTF-8");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!is_valid_utf8(text)) return fail(Code::kInvalid, "the Modelfile is no UTF-8 text");
  std::string clean;
  clean.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return fail(Code::kInvalid, "the Modelfile holds a zero byte");
    if (text[i] == '\r') {  // however many before the end of a line are part of it
      size_t next = std::min(text.find_first_not_of('\r', i), text.size());
      if (next == text.size() || text[next] != '\n') clean.append(next - i, '\r');
      i = next - 1;
      continue;
    }
    clean += text[i];
  }
  return ModelfileParser(std::move(clean)).run();
}

}  // namespace

Result<Modelfile> Modelfile::parse(std::string_view text) {
  return catching_bad_alloc([&] { return parse_text(text); });
}

std::optional<std::string> quote_modelfile_value(std::string_view value) {
  bool quotes = value.find('\n') != std::string_view::npos || trim(value).size() < value.size() ||
                value.starts_with('"') || value.empty();
  if (!quotes) return std::string(value);
  bool simple = value.find('"') == std::string_view::npos;
  std::string_view mark = simple ? kTriple.substr(0, 1) : kTriple;
  for (size_t line = 0, end; (end = value.find('\n', line)) != std::string_view::npos;
       line = end + 1) {
    size_t last = value.substr(line, end - line).find_last_not_of(kBlank);
    if (last == std::string_view::npos) continue;
    if (value.substr(0, line + last + 1).ends_with(mark)) return {};
  }
  return fmt::format("{}{}{}", mark, value, mark);
}

}  // namespace hearth
