// Callbacks that outlive their object: guard() wraps one so that it does nothing once the object is gone.
// One loop only; declare it as the last member, so that it dies first.
#pragma once

#include <memory>
#include <utility>

namespace meridian {

class Lifetime {
 public:
  Lifetime() = default;
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  template <class F>
  auto guard(F f) {
    return [alive = std::weak_ptr<char>(token_), f = std::move(f)](auto&&... args) mutable {
      if (auto held = alive.lock()) f(std::forward<decltype(args)>(args)...);
    };
  }
  // Whether the object is still there, for coroutines to ask after each suspension.
  std::weak_ptr<char> token() const { return token_; }

 private:
  std::shared_ptr<char> token_ = std::make_shared<char>();
};

}  // namespace meridian
