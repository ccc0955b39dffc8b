// The filter urlize: addresses in a text become links, by the rules of Jinja.
#include <algorithm>
#include <set>

#include "base/utf8.h"
#include "template/interp.h"
#include "template/text.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

template <class Is>
bool all_of(std::string_view text, Is is) {
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    if (!is(next.code)) return false;
    i += next.bytes;
  }
  return true;
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_word(char32_t c) { return c == '_' || is_alnum(c); }
bool is_label(char32_t c) { return is_word(c) || c == '%' || c == '-'; }
// What [a-z] matches where case is ignored: four characters fold to ASCII letters.
bool is_latin(char32_t c) {
  return (c < 0x80 && is_alpha(c)) || c == 0x130 || c == 0x131 || c == 0x212A || c == 0x17F;
}
bool is_hex(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

bool starts_without_case(std::string_view text, std::string_view what) {
  return text.size() >= what.size() && to_lower(text.substr(0, what.size())) == what;
}

// An optional port, then an optional path, query or fragment, and nothing else.
bool is_rest_of_address(std::string_view text) {
  if (text.starts_with(':')) {
    size_t end = std::min(text.find_first_of("/?#"), text.size());
    std::string_view port = text.substr(1, end - 1);
    size_t digits = characters(port);
    if (digits < 1 || digits > 5 || !all_of(port, is_decimal)) return false;
    text.remove_prefix(end);
  }
  if (text.empty()) return true;
  return (text[0] == '/' || text[0] == '?' || text[0] == '#') &&
         all_of(text, [](char32_t c) { return !is_space(c); });
}

// Labels that end with dots, each with at least `least` and at most `most` characters.
bool are_labels(std::string_view text, size_t least, size_t most) {
  while (!text.empty()) {
    size_t dot = text.find('.');
    if (dot == std::string_view::npos) return false;
    std::string_view label = text.substr(0, dot);
    size_t size = characters(label);
    if (size < least || size > most || !all_of(label, is_label)) return false;
    text.remove_prefix(dot + 1);
  }
  return true;
}

// The host after http:// or www.
bool is_named_host(std::string_view host) {
  std::string_view top = host.substr(host.rfind('.') + 1);
  size_t size = characters(top);
  bool plain = size >= 2 && size <= 63 && all_of(top, is_latin);
  bool coded = starts_without_case(top, "xn--") && size >= 6 && size <= 63 &&
               all_of(top.substr(4), [](char32_t c) { return is_word(c) || c == '%'; });
  return (plain || coded) && are_labels(host.substr(0, host.size() - top.size()), 1, SIZE_MAX);
}

// A host that is known as one by its end.
bool is_bare_host(std::string_view host) {
  constexpr std::string_view kTops[] = {"com", "net", "int", "edu", "gov", "org", "info", "mil"};
  size_t dot = host.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string top = to_lower(host.substr(dot + 1));
  return std::ranges::find(kTops, top) != std::end(kTops) &&
         are_labels(host.substr(0, dot + 1), 2, 63);
}

bool is_ipv4(std::string_view host) {
  for (int i = 0; i < 4; ++i) {
    size_t end = i < 3 ? host.find('.') : host.size();
    if (end == std::string_view::npos) return false;
    size_t digits = characters(host.substr(0, end));
    if (digits < 1 || digits > 3 || !all_of(host.substr(0, end), is_decimal)) return false;
    host.remove_prefix(std::min(end + 1, host.size()));
  }
  return host.empty();
}

// Two groups of hexadecimal digits that end with colons, then up to six whose colons may lack.
bool is_ipv6(std::string_view host) {
  size_t at = 0;
  auto digits = [&] {
    for (int i = 0; i < 4 && at < host.size() && is_hex(host[at]); ++i) ++at;
  };
  for (int group = 0; group < 8; ++group) {
    digits();
    bool colon = at < host.size() && host[at] == ':';
    if (group < 2 && !colon) return false;
    at += colon;
  }
  return at == host.size();
}

bool is_web_address(std::string_view text) {
  auto host_and_rest = [](std::string_view from, auto is_host) {
    size_t end = std::min(from.find_first_of(":/?#"), from.size());
    return is_host(from.substr(0, end)) && is_rest_of_address(from.substr(end));
  };
  if (host_and_rest(text, is_bare_host)) return true;
  bool www = starts_without_case(text, "www.") && host_and_rest(text.substr(4), is_named_host);
  if (www) return true;
  std::string_view scheme = starts_without_case(text, "https://")  ? "https://"
                            : starts_without_case(text, "http://") ? "http://"
                                                                   : "";
  if (scheme.empty()) return false;
  text.remove_prefix(scheme.size());
  size_t close = text.find(']');
  if (text.starts_with('[') && close != std::string_view::npos) {
    return is_ipv6(text.substr(1, close - 1)) && is_rest_of_address(text.substr(close + 1));
  }
  return host_and_rest(text, is_named_host) || host_and_rest(text, is_ipv4);
}

bool is_mail_address(std::string_view text) {
  size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return false;
  std::string_view host = text.substr(at + 1);
  size_t dot = host.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == host.size()) return false;
  return is_word(decode_utf8(host, 0).code) && all_of(host.substr(dot + 1), is_word) &&
         all_of(host, [](char32_t c) { return is_word(c) || c == '.' || c == '-'; });
}

struct Links {
  std::string attributes;
  std::optional<size_t> limit;  // on the characters shown
  std::vector<std::string> schemes;

  std::string link(std::string_view start, std::string_view address, std::string_view shown) const {
    return fmt::format("<a href=\"{}{}\"{}>{}</a>", start, address, attributes, shown);
  }

  std::string cut(std::string_view text) const {
    if (!limit || characters(text) <= *limit) return std::string(text);
    size_t end = 0;
    for (size_t i = 0; i < *limit; ++i) end += decode_utf8(text, end).bytes;
    return std::string(text.substr(0, end)) + "...";
  }

  std::string middle(const std::string& text) const {
    if (is_web_address(text)) {
      bool has_scheme = text.starts_with("https://") || text.starts_with("http://");
      return link(has_scheme ? "" : "https://", text, cut(text));
    }
    if (text.starts_with("mailto:") && is_mail_address(std::string_view(text).substr(7))) {
      return fmt::format("<a href=\"{}\">{}</a>", text, text.substr(7));
    }
    bool mail = !text.starts_with("www.") && !text.starts_with('@') &&
                text.find(':') == std::string::npos && is_mail_address(text);
    if (mail) return fmt::format("<a href=\"mailto:{}\">{}</a>", text, text);
    std::string out = text;
    for (const std::string& scheme : schemes) {
      if (out != scheme && out.starts_with(scheme)) out = link("", out, out);
    }
    return out;
  }
};

size_t count_of(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = 0; (at = find_text(text, what, at)) != std::string_view::npos;) {
    ++count;
    at += what.size();
  }
  return count;
}

// A word without the brackets and punctuation around it.
struct Word {
  std::string_view head;
  std::string middle;
  std::string_view tail;

  explicit Word(std::string_view text) {
    size_t start = 0;
    for (;;) {
      std::string_view rest = text.substr(start);
      if (rest.starts_with('(') || rest.starts_with('<')) ++start;
      else if (rest.starts_with("&lt;")) start += 4;
      else break;
    }
    size_t end = text.size();
    while (end > start) {
      std::string_view rest = text.substr(start, end - start);
      if (std::string_view(")>.,").find(rest.back()) != std::string_view::npos) --end;
      else if (rest.ends_with("&gt;")) end -= 4;
      else break;
    }
    head = text.substr(0, start);
    middle = text.substr(start, end - start);
    tail = text.substr(end);
    constexpr std::pair<std::string_view, std::string_view> kPairs[] = {
        {"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}};
    for (const auto& [open, close] : kPairs) balance(open, close);
  }

  // Closing brackets come back where the address has opened more of them.
  void balance(std::string_view open, std::string_view close) {
    size_t opened = count_of(middle, open);
    if (opened <= count_of(middle, close)) return;
    for (size_t i = std::min(opened, count_of(tail, close)); i > 0; --i) {
      size_t end = tail.find(close) + close.size();
      middle += tail.substr(0, end);
      tail.remove_prefix(end);
    }
  }
};

// A scheme: two or more word characters, dots, pluses or hyphens, a colon, at most two slashes.
bool is_scheme(std::string_view text) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos || characters(text.substr(0, colon)) < 2) return false;
  std::string_view slashes = text.substr(colon + 1);
  return (slashes.empty() || slashes == "/" || slashes == "//") &&
         all_of(text.substr(0, colon), [](char32_t c) {
           return is_word(c) || c == '.' || c == '+' || c == '-';
         });
}

// urlize(trim_url_limit, nofollow, target, rel, extra_schemes)
Result<Links> links_of(Call& call) {
  Links out;
  auto given = [&](size_t i) { return call.has(i) && !call.arg[i].is_none(); };
  if (given(0)) out.limit = static_cast<size_t>(std::max<int64_t>(TRY(call.integer(0, 0)), 0));
  std::set<std::string> relations = {"noopener"};
  if (given(3)) {
    for (std::string_view word : split_blanks(TRY(call.text(3)), -1)) relations.emplace(word);
  }
  if (call.truth(1, false)) relations.insert("nofollow");
  std::string rel;
  for (const std::string& word : relations) {
    if (!rel.empty()) rel += ' ';
    rel += word;
  }
  out.attributes = fmt::format(" rel=\"{}\"", escape_html(rel));
  if (given(2) && truth(call.arg[2])) {
    std::string target = TRY(to_str(call.in, call.arg[2]));
    out.attributes += fmt::format(" target=\"{}\"", escape_html(target));
  }
  if (!given(4)) return out;
  for (const Value& scheme : TRY(call.in.to_vector(call.arg[4]))) {
    if (!scheme.is_string() || !is_scheme(scheme.text())) {
      return fail(Code::kInvalid, "a URI scheme prefix that is none");
    }
    out.schemes.push_back(scheme.text());
  }
  return out;
}

Result<Value> urlize(Call& call) {
  Links links = TRY(links_of(call));
  std::string text = TRY(to_str(call.in, call.self));
  if (!call.self.is_markup()) text = escape_html(text);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    bool blank = is_space(decode_utf8(text, at).code);
    while (end < text.size() && is_space(decode_utf8(text, end).code) == blank) {
      end += decode_utf8(text, end).bytes;
    }
    std::string_view part = std::string_view(text).substr(at, end - at);
    call.in.heap.spend(4 + part.size() * (4 + links.schemes.size()) / 4);
    TRY(call.in.fits(out.size() + part.size() * 4));
    if (blank) {
      out += part;
    } else {
      Word word(part);
      out += word.head;
      out += links.middle(word.middle);
      out += word.tail;
    }
    at = end;
  }
  return call.in.string(std::move(out));
}

constexpr Builtin kRows[] = {
    {"urlize", urlize, 0, {"trim_url_limit", "nofollow", "target", "rel", "extra_schemes"}},
};

}  // namespace

std::span<const Builtin> urlize_filter() { return kRows; }

}  // namespace hearth::jinja
