#include "server/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hearth::server {
namespace {

struct Parsed {
  ParseStep head = ParseStep::kMore, body = ParseStep::kMore;
  int status = 0;
  Request request;
  std::string text, left;  // of the body, and what follows the request
};

// Gives the parser its bytes `step` at a time, as a connection does.
Parsed parse(std::string_view bytes, size_t step) {
  RequestParser parser({});
  Parsed out;
  std::string have;
  while (out.head == ParseStep::kMore || out.body == ParseStep::kMore ||
         out.body == ParseStep::kPiece) {
    size_t used = 0;
    bool in_head = out.head == ParseStep::kMore, more;
    if (in_head) {
      out.head = have.empty() ? ParseStep::kMore : parser.head(have, out.request, used);
      if (out.head == ParseStep::kDone) parser.set_body_limit(1000);
      more = out.head == ParseStep::kMore;
    } else {
      std::string_view piece;
      out.body = parser.body(have, used, piece);
      out.text += piece;
      more = out.body == ParseStep::kMore;
    }
    have.erase(0, used);
    if (out.head == ParseStep::kRefused || out.body == ParseStep::kRefused) {
      out.status = parser.refusal().status;
      break;
    }
    if (!more) continue;
    if (bytes.empty()) break;
    have += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  out.left = have + std::string(bytes);
  return out;
}

constexpr size_t kSteps[] = {1, 2, 3, 7, 1 << 20};

std::string with(std::string_view lines, std::string_view body = {}) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n" + std::string(body);
}

TEST(RequestParser, TakesWhatIsWellFormed) {
  for (size_t step : kSteps) {
    Parsed p = parse("GET /a?b HTTP/1.1\r\nHost: localhost\r\nX-Y:  z \t\r\nEmpty:\r\n\r\nNEXT",
                     step);
    ASSERT_EQ(p.head, ParseStep::kDone) << step;
    EXPECT_EQ(p.body, ParseStep::kDone);
    EXPECT_EQ(p.request.method, "GET");
    EXPECT_EQ(p.request.path, "/a?b");
    EXPECT_EQ(p.request.header("x-y"), "z");
    EXPECT_EQ(p.request.header("EMPTY"), "");
    EXPECT_EQ(p.left, "NEXT");
    p = parse(with("Content-Length: 5\r\n", "helloNEXT"), step);
    EXPECT_EQ(p.text, "hello") << step;
    EXPECT_EQ(p.left, "NEXT");
    p = parse(with("Transfer-Encoding: Chunked\r\n",
                   "3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nNEXT"), step);
    EXPECT_EQ(p.body, ParseStep::kDone) << step;
    EXPECT_EQ(p.text, "abc0123456789");
    EXPECT_EQ(p.left, "NEXT");
    p = parse("\r\nGET / HTTP/1.0\r\n\r\nNEXT", step);
    EXPECT_EQ(p.head, ParseStep::kDone) << "an empty line before, and no Host, in HTTP/1.0";
    EXPECT_EQ(p.left, "NEXT");
  }
}

// Requests that two servers in a row could read differently.
const std::string kChunks = "0\r\n\r\n";

// Where does the body end?
const std::vector<std::string> kTwoLengths = {
    with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", kChunks),
    with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", kChunks),
    with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", kChunks),
    with("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"),
    with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
    with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
    with("Content-Length: 5, 5\r\n", "hello"),
    with("Content-Length: 5,6\r\n", "hello"),
    with("Content-Length: +5\r\n", "hello"),
    with("Content-Length: -5\r\n", "hello"),
    with("Content-Length: 0x5\r\n", "hello"),
    with("Content-Length: 5 5\r\n", "hello"),
    with("Content-Length: 5.0\r\n", "hello"),
    with("Content-Length: \"5\"\r\n", "hello"),
    with("Content-Length:\r\n", "hello"),
    with("Content-Length: 99999999999999999999\r\n", "hello"),
    with("Content-Length: 18446744073709551616\r\n", "hello"),
    with("Content-Length : 5\r\n", "hello"),
    with("Content-Length\t: 5\r\n", "hello"),
    with("Transfer-Encoding : chunked\r\n", kChunks),
    with("Transfer-Encoding: xchunked\r\n", kChunks),
    with("Transfer-Encoding: chunked, identity\r\n", kChunks),
    with("Transfer-Encoding: identity, chunked\r\n", kChunks),
    with("Transfer-Encoding: gzip, chunked\r\n", kChunks),
    with("Transfer-Encoding: chunked, chunked\r\n", kChunks),
    with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", kChunks),
    with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", kChunks),
    with("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", kChunks),
    with("Transfer-Encoding: identity\r\n", kChunks),
    with("Transfer-Encoding: gzip\r\n", kChunks),
    with("Transfer-Encoding:\r\n", kChunks),
    with("Transfer-Encoding: \"chunked\"\r\n", kChunks),
    with("Transfer-Encoding: chunked;q=1\r\n", kChunks),
    with("Transfer-Encoding: \x0b" "chunked\r\n", kChunks),
    with("Transfer-Encoding:\r\n chunked\r\n", kChunks),
};

// Which fields are there?
const std::vector<std::string> kOddLines = {
    with("X: y\r\n folded\r\n"),
    with("X: y\r\n\tfolded\r\n"),
    with(" X: y\r\n"),
    "POST /x HTTP/1.1\r\n Host: a\r\n\r\n",
    "POST /x HTTP/1.1\nHost: a\n\n",
    "POST /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\n\n",
    "POST /x HTTP/1.1\r\nHost: a\r\rX: y\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    with("X\r\n"),
    with("X y: z\r\n"),
    with(": z\r\n"),
    with(std::string("X: a\0b\r\n", 8)),
    with(std::string("X\0: b\r\n", 7)),
    with("X: a\x7f\r\n"),
    with("X: a\x01\r\n"),
    with("H\xc3\xb6st: b\r\n"),
    with("Host: b\r\n"),
    with("host: a\r\n"),
    with("Content-Length: 5\r\nHost : b\r\n", "hello"),
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost:a\r\nHOST:b\r\n\r\n",
};

// What is asked for?
const std::vector<std::string> kOddStarts = {
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
    "GET /\r\nHost: a\r\n\r\n",
    "GET\r\nHost: a\r\n\r\n",
    "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / http/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "GET / HTTP/11\r\nHost: a\r\n\r\n",
    "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\x02",
};

void refuses(const std::vector<std::string>& cases) {
  for (const std::string& bytes : cases)
    for (size_t step : kSteps) {
      Parsed p = parse(bytes, step);
      EXPECT_EQ(p.head, ParseStep::kRefused) << step << ": " << bytes;
      EXPECT_TRUE(p.status == 400 || p.status == 505) << p.status << ": " << bytes;
    }
}

TEST(RequestParser, RefusesTwoLengths) { refuses(kTwoLengths); }
TEST(RequestParser, RefusesOddLines) { refuses(kOddLines); }
TEST(RequestParser, RefusesOddStarts) { refuses(kOddStarts); }

TEST(RequestParser, RefusesMalformedChunks) {
  for (std::string_view body :
       {"x\r\n", "\r\n", "-1\r\na\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n",
        "1 \r\na\r\n0\r\n\r\n", "1\na\r\n", "1\r\nab\r\n", "1\r\na\n", "1\r\na\r\r",
        "fffffffffffffffff\r\n", "1;\x01\r\na\r\n", "ffffffffffffffff\r\n", "1\r\r\na\r\n",
        "0\r\nX Y\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n", "0\r\n bad\r\n\r\n", "3e9\r\n",
        "1\r\na\r\n1\r\nb1\r\n"})
    for (size_t step : kSteps) {
      std::string text = std::string(body) + "zzzzzzzz\r\n\r\n";
      Parsed p = parse(with("Transfer-Encoding: chunked\r\n", text), step);
      ASSERT_EQ(p.head, ParseStep::kDone) << body;
      EXPECT_EQ(p.body, ParseStep::kRefused) << step << ": " << body;
    }
}

TEST(RequestParser, ChunksEndlesslyLong) {
  std::string line(9000, '1');
  for (std::string body : {"1;" + line, "0\r\nX: " + line, std::string(9000, '0')}) {
    Parsed p = parse(with("Transfer-Encoding: chunked\r\n", body), 1000);
    EXPECT_EQ(p.body, ParseStep::kRefused);
  }
}

TEST(RequestParser, Limits) {
  auto fields = [](int count) {
    std::string text = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < count; ++i) text += i == 0 ? "Host: a\r\n" : "X: y\r\n";
    return text + "\r\n";
  };
  for (size_t step : {size_t{100}, size_t{1} << 20}) {
    EXPECT_EQ(parse(fields(100), step).head, ParseStep::kDone);
    EXPECT_EQ(parse(fields(101), step).status, 431);
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    std::string full = head + std::string((32 << 10) - head.size() - 4, 'x');
    EXPECT_EQ(parse(full + "\r\n\r\n", step).head, ParseStep::kDone);
    EXPECT_EQ(parse(full + "x\r\n\r\n", step).status, 431);
    EXPECT_EQ(parse(head + std::string(1 << 20, 'x'), step).status, 431);
    auto target = [](size_t size) { return "GET /" + std::string(size - 1, 'x'); };
    EXPECT_EQ(parse(target(8192) + " HTTP/1.1\r\nHost: a\r\n\r\n", step).head, ParseStep::kDone);
    EXPECT_EQ(parse(target(8193) + " HTTP/1.1\r\nHost: a\r\n\r\n", step).status, 414);
    EXPECT_EQ(parse(target(1 << 20), step).status, 414);
    // A method so long that no line end would be waited for, had it come in pieces.
    EXPECT_EQ(parse(std::string(8300, 'M') + " /x HTTP/1.1\r\nHost: a\r\n\r\n", step).status, 414);
    Parsed p = parse(with("Transfer-Encoding: chunked\r\n", "3e8\r\n" + std::string(1000, 'x') +
                          "\r\n1\r\ny\r\n0\r\n\r\n"), step);
    EXPECT_EQ(p.status, 413);
    EXPECT_EQ(p.text.size(), 1000u);
  }
}

// Whatever comes, it ends, in pieces as in one.
TEST(RequestParser, MutationsReadTheSameInPieces) {
  const std::string seed =
      with("Transfer-Encoding: chunked\r\nX: y\r\n", "3\r\nabc\r\n0\r\nT: u\r\n\r\n");
  uint32_t state = 1;
  auto next = [&] { return state = state * 1664525 + 1013904223, state >> 8; };
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = seed;
    for (uint32_t n = next() % 3 + 1; n > 0; --n) {
      size_t at = next() % bytes.size();
      if (next() % 3 == 0) bytes.erase(at, 1);
      else if (next() % 2 == 0) bytes.insert(at, 1, "\r\n :;,0aG\t\xff\0"[next() % 12]);
      else bytes[at] = static_cast<char>(next());
    }
    Parsed whole = parse(bytes, 1 << 20), pieces = parse(bytes, 1);
    EXPECT_EQ(whole.head, pieces.head) << bytes;
    EXPECT_EQ(whole.body, pieces.body) << bytes;
    EXPECT_EQ(whole.text, pieces.text) << bytes;
  }
}

}  // namespace
}  // namespace hearth::server
