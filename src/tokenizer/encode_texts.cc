// A program for differential tests: encodes texts from standard input and writes ids.
//
//   encode_texts MODEL.gguf|FOLDER [--special] [--parse] [--repeat N | --round-trip | --decode]
//
// Input: for each text its length in bytes in decimal, a newline, the bytes. Output: for each text
// one line of ids between spaces; with --round-trip 1 where decoding them gives the text back, all
// at once and as a stream, else 0; with --decode the line goes on with "; ", the bytes of the
// decoded text in hexadecimal, and " differs" where the stream gives another text. With --repeat
// the tokenizer is made and the first text encoded N times, and the times go to standard error.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "container/tensor_file.h"
#include "tokenizer/tokenizer.h"

namespace hearth {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool read_text(std::string& text) {
  std::string digits;
  int c;
  while ((c = std::getchar()) != EOF && c != '\n') digits.push_back(static_cast<char>(c));
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
  if (error != std::errc{} || end != digits.data() + digits.size()) return false;
  text.resize(bytes);
  return std::fread(text.data(), 1, bytes, stdin) == bytes;
}

Result<std::shared_ptr<const Tokenizer>> load(const std::string& path, int repeat) {
  if (!path.ends_with(".gguf")) return Tokenizer::from_folder(path);
  const TensorFile file = TRY(TensorFile::open(path));
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    TRY(Tokenizer::from_gguf(file.metadata()));
    fmt::print(stderr, "from_gguf {:.1f} ms\n", 1e3 * seconds_since(start));
  }
  return Tokenizer::from_gguf(file.metadata());
}

void time_runs(const Tokenizer& tokenizer, const std::string& text, EncodeOptions options,
               int repeat) {
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const size_t count = tokenizer.encode(text, options).size();
    const double seconds = seconds_since(start);
    fmt::print(stderr, "{} ids, {:.1f} ms, {:.1f} MB/s\n", count, 1e3 * seconds,
               static_cast<double>(text.size()) / seconds / 1e6);
  }
}

bool comes_back(const Tokenizer& tokenizer, const std::string& text,
                const std::vector<TokenId>& ids) {
  if (tokenizer.decode(ids, true) != text) return false;
  StreamDecoder decoder(tokenizer, true);
  std::string streamed;
  for (const TokenId id : ids) streamed += decoder.push(id);
  return streamed + decoder.finish() == text;
}

void append_decoded(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                    std::string& line) {
  const std::string text = tokenizer.decode(ids, false);
  StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (const TokenId id : ids) streamed += decoder.push(id);
  streamed += decoder.finish();
  line += "; ";
  for (const char c : text)
    fmt::format_to(std::back_inserter(line), "{:02x}", static_cast<uint8_t>(c));
  if (streamed != replace_invalid_utf8(text)) line += " differs";
}

int run(int argc, char** argv) {
  EncodeOptions options{.add_special = false, .parse_special = false};
  int repeat = 0;
  bool round_trip = false, decode = false;
  for (int i = 2; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--special")) options.add_special = true;
    else if (!std::strcmp(argv[i], "--parse")) options.parse_special = true;
    else if (!std::strcmp(argv[i], "--round-trip")) round_trip = true;
    else if (!std::strcmp(argv[i], "--decode")) decode = true;
    else if (!std::strcmp(argv[i], "--repeat") && i + 1 < argc)
      std::from_chars(argv[i + 1], argv[i + 1] + std::strlen(argv[i + 1]), repeat);
  }
  const auto tokenizer = load(argc > 1 ? argv[1] : "", repeat);
  if (!tokenizer) {
    fmt::print(stderr, "{}\n", tokenizer.error().message);
    return 1;
  }
  std::string text, line;
  while (read_text(text)) {
    if (repeat > 0) {
      time_runs(**tokenizer, text, options, repeat);
      return 0;
    }
    line.clear();
    const std::vector<TokenId> ids = (*tokenizer)->encode(text, options);
    if (round_trip) line = comes_back(**tokenizer, text, ids) ? "1" : "0";
    for (size_t i = 0; i < ids.size() && !round_trip; ++i)
      fmt::format_to(std::back_inserter(line), "{} ", ids[i]);
    if (decode) append_decoded(**tokenizer, ids, line);
    line.push_back('\n');
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) { return hearth::run(argc, argv); }
