#include "server/request_parser.h"

// Beast asserts on chunked bodies that end in pieces (a last chunk whose empty line comes byte by
// byte); what it asserts is not needed for what it does there.
#define BOOST_DISABLE_ASSERTS
#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

#include "base/check.h"

namespace hearth::server {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

constexpr size_t kChunkLineMax = 8 << 10;  // a chunk's line, or all trailers
constexpr size_t kMethodMax = 32;           // bytes of a request line beside its target

constexpr Refusal kBadLine{400, "the head of the request has a line that does not end in CRLF"};
constexpr Refusal kFolded{400, "the head of the request has a folded line"};
constexpr Refusal kBadHead{400, "this is no HTTP/1.1 request"};
constexpr Refusal kBadVersion{505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
constexpr Refusal kBadLength{400, "Content-Length must be one number"};
constexpr Refusal kBadCoding{400, "the only Transfer-Encoding is chunked, in HTTP/1.1"};
constexpr Refusal kTwoLengths{400, "Content-Length and Transfer-Encoding exclude each other"};
constexpr Refusal kBadHost{400, "an HTTP/1.1 request has one Host"};
constexpr Refusal kLongHead{431, "the head of the request is too large"};
constexpr Refusal kManyFields{431, "the request has too many header fields"};
constexpr Refusal kLongTarget{414, "the request's target is too long"};
constexpr Refusal kBadBody{400, "the body's chunks are malformed"};
constexpr Refusal kLongBody{413, "the request's body is too large"};

bool same_word(std::string_view a, std::string_view lower) {
  return std::ranges::equal(a, lower, [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? x + ('a' - 'A') : x) == y;
  });
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// What Beast tells of a request goes straight into ours.
class Parser final : public http::basic_parser<true> {
 public:
  Request* into = nullptr;
  size_t fields_max = 0;
  std::string_view piece;
  int version = 11, lengths = 0, codings = 0, hosts = 0;
  bool bad_length = false, bad_coding = false, many_fields = false, in_head = true;

 private:
  using Text = boost::beast::string_view;

  void on_request_impl(http::verb, Text method, Text target, int v, error_code&) override {
    version = v;
    into->method = view(method);
    into->path = view(target);
  }
  void on_response_impl(int, Text, int, error_code&) override {}

  void on_field_impl(http::field name, Text name_text, Text value, error_code& ec) override {
    if (!in_head) return;  // trailers are dropped
    if (into->headers.size() >= fields_max) {
      many_fields = true;
      ec = http::error::header_limit;
      return;
    }
    if (name == http::field::content_length) {
      ++lengths;
      auto digit = [](char c) { return c >= '0' && c <= '9'; };
      bad_length |= value.empty() || !std::ranges::all_of(value, digit);
    } else if (name == http::field::transfer_encoding) {
      ++codings;
      bad_coding |= !same_word(view(value), "chunked");
    } else if (name == http::field::host) {
      ++hosts;
    }
    into->headers.emplace_back(view(name_text), view(value));
  }

  void on_header_impl(error_code&) override { in_head = false; }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(Text bytes, error_code&) override {
    piece = view(bytes);
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, Text, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, Text bytes, error_code&) override {
    piece = view(bytes);
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
};

}  // namespace

struct RequestParser::Impl {
  HeadLimits limits;
  std::optional<Parser> parser;
  size_t scanned = 0;   // bytes of the head in which line ends have been looked at
  bool in_target = true;
  bool blank_allowed = true;  // one empty line before a request, which old clients leave there
  Refusal refusal;

  ParseStep refuse(const Refusal& why) {
    refusal = why;
    return ParseStep::kRefused;
  }

  ParseStep scan(std::string_view bytes);
  ParseStep parse(std::string_view head, Request& into);
};

RequestParser::RequestParser(const HeadLimits& limits) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
  reset();
}
RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  impl_->parser.emplace();
  impl_->parser->header_limit(static_cast<uint32_t>(impl_->limits.bytes));
  impl_->parser->body_limit(boost::none);
  impl_->scanned = 0;
  impl_->in_target = impl_->blank_allowed = true;
}

// Looks for the end of the head, at which `scanned` stands at kDone. Every line must end in CRLF
// and none may begin with a blank. Each byte is looked at once, however small the pieces are.
ParseStep RequestParser::Impl::scan(std::string_view bytes) {
  while (true) {
    const void* found = std::memchr(bytes.data() + scanned, '\n', bytes.size() - scanned);
    if (found == nullptr) break;
    size_t at = static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    if (in_target && at > limits.target + kMethodMax) return refuse(kLongTarget);
    if (at + 1 > limits.bytes) return refuse(in_target ? kLongTarget : kLongHead);
    if (at == 0 || bytes[at - 1] != '\r') return refuse(kBadLine);
    in_target = false;
    if (at >= 3 && bytes[at - 2] == '\n' && bytes[at - 3] == '\r') {
      scanned = at + 1;
      return ParseStep::kDone;
    }
    if (at + 1 == bytes.size()) {
      scanned = at;  // what follows it is not here yet
      return ParseStep::kMore;
    }
    if (bytes[at + 1] == ' ' || bytes[at + 1] == '\t') return refuse(kFolded);
    scanned = at + 1;
  }
  scanned = bytes.size();
  if (in_target && scanned > limits.target + kMethodMax) return refuse(kLongTarget);
  return scanned < limits.bytes ? ParseStep::kMore : refuse(kLongHead);
}

ParseStep RequestParser::Impl::parse(std::string_view head, Request& into) {
  parser->into = &into;
  parser->fields_max = limits.fields;
  error_code ec;
  parser->put(boost::asio::buffer(head.data(), head.size()), ec);
  parser->into = nullptr;
  if (!ec && !parser->is_header_done()) ec = http::error::partial_message;
  if (into.path.size() > limits.target) return refuse(kLongTarget);
  if (parser->many_fields) return refuse(kManyFields);
  if (ec == http::error::bad_version) return refuse(kBadVersion);
  if (parser->codings > 0 && parser->lengths > 0) return refuse(kTwoLengths);
  if (parser->bad_length || parser->lengths > 1 || ec == http::error::bad_content_length)
    return refuse(kBadLength);
  bool coded = parser->codings > 0;
  if (parser->bad_coding || parser->codings > 1 || (coded && parser->version < 11))
    return refuse(kBadCoding);
  // With one header only, Beast's own view of these two can only be that there was a second.
  if (ec == http::error::bad_transfer_encoding) return refuse(kTwoLengths);
  if (ec) return refuse(kBadHead);
  if (parser->hosts > 1 || (parser->hosts == 0 && parser->version >= 11)) return refuse(kBadHost);
  return ParseStep::kDone;
}

ParseStep RequestParser::head(std::string_view bytes, Request& into, size_t& used) {
  used = 0;
  Impl& my = *impl_;
  if (bytes.empty() || (my.blank_allowed && bytes == "\r")) return ParseStep::kMore;
  if (std::exchange(my.blank_allowed, false) && bytes.starts_with("\r\n")) {
    used = 2;
    bytes.remove_prefix(2);
    if (bytes.empty()) return ParseStep::kMore;
  }
  // A TLS handshake, say: no method begins so, and no line end may ever come.
  if (my.scanned == 0 && (bytes[0] < 'A' || bytes[0] > 'z')) return my.refuse(kBadHead);
  ParseStep step = my.scan(bytes);
  if (step != ParseStep::kDone) return step;
  used += my.scanned;
  return my.parse(bytes.substr(0, my.scanned), into);
}

void RequestParser::set_body_limit(uint64_t bytes) { impl_->parser->body_limit(bytes); }

ParseStep RequestParser::body(std::string_view bytes, size_t& used, std::string_view& piece) {
  used = 0;
  piece = {};
  Parser& parser = *impl_->parser;
  if (parser.is_done()) return ParseStep::kDone;
  if (bytes.empty()) return ParseStep::kMore;
  // Beast looks at the limit of a Content-Length at the end of the head, when none was set.
  parser.piece = {};
  error_code ec;
  used = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), ec);
  piece = parser.piece;
  if (ec == http::error::need_more)
    return bytes.size() < kChunkLineMax ? ParseStep::kMore : impl_->refuse(kBadBody);
  if (ec == http::error::body_limit) return impl_->refuse(kLongBody);
  if (ec) return impl_->refuse(kBadBody);
  return parser.is_done() && piece.empty() ? ParseStep::kDone : ParseStep::kPiece;
}

bool RequestParser::http_1_0() const { return impl_->parser->version < 11; }
bool RequestParser::keep_alive() const { return impl_->parser->keep_alive(); }
bool RequestParser::has_body() const {
  return impl_->parser->chunked() || content_length().value_or(0) > 0;
}
bool RequestParser::body_done() const { return impl_->parser->is_done(); }

std::optional<uint64_t> RequestParser::content_length() const {
  auto length = impl_->parser->content_length();
  if (!length) return std::nullopt;
  return *length;
}

const Refusal& RequestParser::refusal() const { return impl_->refusal; }

}  // namespace hearth::server
