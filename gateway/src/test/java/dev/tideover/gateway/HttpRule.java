package dev.tideover.gateway;

import java.lang.annotation.ElementType;
import java.lang.annotation.Repeatable;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** A rule of HTTP that a test holds the gateway to. {@code docs/http.md} is made from these. */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@Repeatable(HttpRule.List.class)
public @interface HttpRule {

  /** The rule, in a sentence. */
  String value();

  /** Where it is written, {@code RFC 9110 section 10.1.1}. */
  String source();

  /** Why the gateway doesn't hold it; then the test shows what it does instead. */
  String notHeld() default "";

  /** Several of one test. */
  @Target(ElementType.METHOD)
  @Retention(RetentionPolicy.RUNTIME)
  @interface List {
    HttpRule[] value();
  }
}
