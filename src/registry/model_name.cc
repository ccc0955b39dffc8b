#include "registry/model_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth {
namespace {

enum class Part { kHost, kNamespace, kName, kTag };

struct PartRule {
  std::string_view word;
  size_t bytes_max;
  std::string_view extra;  // allowed after the first character, beside letters, digits and '_'
};

constexpr PartRule kRules[] = {{"host", 350, "-.:"},
                               {"namespace", 80, "-"},
                               {"name", 80, "-."},
                               {"tag", 80, "-."}};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

Result<void> check_part(Part part, std::string_view text) {
  const PartRule& rule = kRules[static_cast<size_t>(part)];
  if (text.empty()) return fail(Code::kInvalid, "the {} of a model name is empty", rule.word);
  if (text.size() > rule.bytes_max)
    return fail(Code::kInvalid, "the {} of a model name is longer than {} characters", rule.word,
                rule.bytes_max);
  if (!is_word(text[0]))
    return fail(Code::kInvalid, "the {} '{}' must begin with a letter, a digit or '_'", rule.word,
                text);
  for (char c : text)
    if (!is_word(c) && rule.extra.find(c) == std::string_view::npos)
      return fail(Code::kInvalid, "the {} '{}' may hold letters, digits, '_' and '{}' only",
                  rule.word, text, rule.extra);
  if (text.find("..") != std::string_view::npos)
    return fail(Code::kInvalid, "the {} '{}' may not hold '..'", rule.word, text);
  return {};
}

}  // namespace

Result<ModelName> ModelName::from_parts(std::string host, std::string name_space, std::string name,
                                        std::string tag) {
  TRY(check_part(Part::kHost, host));
  TRY(check_part(Part::kNamespace, name_space));
  TRY(check_part(Part::kName, name));
  TRY(check_part(Part::kTag, tag));
  ModelName out;
  out.host_ = std::move(host);
  out.namespace_ = std::move(name_space);
  out.name_ = std::move(name);
  out.tag_ = std::move(tag);
  return out;
}

Result<ModelName> ModelName::parse(std::string_view text) {
  std::string_view rest = text;
  if (rest.empty()) return fail(Code::kInvalid, "a model name is empty");
  if (rest.starts_with("https://")) rest.remove_prefix(8);
  if (rest.find('@') != std::string_view::npos)
    return fail(Code::kInvalid, "'{}' names a digest with '@', which names here cannot; use a tag",
                text);
  std::string_view tag = kDefaultTag, name, name_space = kDefaultNamespace, host = kDefaultHost;
  size_t colon = rest.rfind(':'), slash = rest.rfind('/');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  auto cut = [&] {  // what follows the last slash
    size_t at = rest.rfind('/');
    std::string_view last = at == std::string_view::npos ? rest : rest.substr(at + 1);
    rest = at == std::string_view::npos ? std::string_view() : rest.substr(0, at);
    return last;
  };
  bool has_namespace = rest.find('/') != std::string_view::npos;
  name = cut();
  if (has_namespace) {
    bool has_host = rest.find('/') != std::string_view::npos;
    name_space = cut();
    if (has_host) host = rest;  // whatever is left; a third slash fails the host's rule
  }
  return from_parts(std::string(host), std::string(name_space), std::string(name),
                    std::string(tag));
}

std::string ModelName::display() const {
  std::string out;
  if (host_ != kDefaultHost) out = host_ + "/" + namespace_ + "/";
  else if (namespace_ != kDefaultNamespace) out = namespace_ + "/";
  return out + name_ + ":" + tag_;
}

std::string ModelName::full() const {
  return fmt::format("{}/{}/{}:{}", host_, namespace_, name_, tag_);
}

std::filesystem::path ModelName::relative() const {
  return std::filesystem::path(host_) / namespace_ / name_ / tag_;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

Result<Digest> Digest::parse(std::string_view text) {
  std::string_view hex = text;
  if (hex.starts_with("sha256:") || hex.starts_with("sha256-")) hex.remove_prefix(7);
  bool digits = std::ranges::all_of(
      hex, [](char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); });
  if (hex.size() != 64 || !digits)
    return fail(Code::kInvalid, "'{}' is no SHA-256 digest: 64 hexadecimal digits", text);
  std::string out(hex);
  std::ranges::transform(out, out.begin(), lower);
  return Digest(std::move(out));
}

}  // namespace hearth
