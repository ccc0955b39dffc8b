// Guard: who may talk to the server. Three rules against web pages that reach for it through the
// visitor's browser (the Host, the Origin, and Sec-Fetch-Site where there is no Origin), and the
// key. Pure, but for the random key of its hashes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http.h"

namespace hearth::server {

struct GuardOptions {
  std::string api_key;               // empty: none is asked for
  std::vector<std::string> origins;  // besides those of this machine; "*" allows all, and a "*" in
                                     // one stands for any characters
  std::vector<std::string> hosts;    // names by which the server is also known, without a port
  std::vector<std::string> bound;    // addresses that it listens on
  bool any_address = false;          // it listens on all of the machine's
};

class Guard {
 public:
  explicit Guard(GuardOptions options);

  // Whether a Host (with or without a port) is one of ours. A web page can make its own name stand
  // for our address (DNS rebinding), but can't choose the Host that the browser then sends.
  bool host_allowed(std::string_view host) const;
  // `host`: that of the request; a page that we served may ask us.
  bool origin_allowed(std::string_view origin, std::string_view host) const;
  // The origin, where the request has one, is allowed; and what changes something does not come
  // from a page elsewhere that hides its origin.
  bool site_allowed(const Request& request) const;

  // Bearer or x-api-key; true where no key is set. Takes the same time for every wrong key of one
  // length.
  bool key_allowed(const Request& request) const;
  uint64_t tenant(const Request& request) const;

 private:
  GuardOptions options_;
  std::string machine_;  // its own name
  std::array<uint64_t, 2> hash_key_;
  uint64_t anonymous_ = 0;
};

std::array<uint64_t, 2> random_key();

// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
uint64_t sip_hash(const std::array<uint64_t, 2>& key, std::string_view text);

// The name or address of "name", "name:port", "[::1]:port", in lower case and without a dot at its
// end; nothing where it is malformed.
std::optional<std::string> host_name(std::string_view host);

// Whether `text` is a numeric address, and one that only this machine reaches.
bool is_address(const std::string& text);
bool is_loopback(const std::string& text);

}  // namespace hearth::server
