package dev.tideover.sdk;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.exc.StreamReadException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.util.stream.Collectors;

/** JSON with the defaults that most services choose. Stateless; safe for any thread. */
final class Json {

  /** Tolerant in what it reads, since clients are released apart from the service. */
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .disable(SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
          .build();

  private static final ObjectReader READER =
      MAPPER.reader().with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  static <T> T read(byte[] body, Class<T> type) {
    T value;
    try {
      value = READER.forType(type).readValue(body);
    } catch (StreamReadException notJson) {
      throw new MalformedBodyException("the body is not JSON" + at(notJson), notJson);
    } catch (MismatchedInputException mismatch) {
      throw new MalformedBodyException(
          "the body is JSON of another shape" + path(mismatch) + at(mismatch), mismatch);
    } catch (JsonMappingException unfit) {
      throw new IllegalArgumentException(
          "Jackson can't read JSON into " + type.getName() + ": " + unfit.getOriginalMessage(),
          unfit);
    } catch (IOException notText) {
      throw new MalformedBodyException("the body is not text in a Unicode encoding", notText);
    }
    if (value == null) {
      throw new MalformedBodyException(
          "the body is JSON null, expected " + type.getSimpleName(), null);
    }
    return value;
  }

  static byte[] write(Object value) {
    try {
      return MAPPER.writeValueAsBytes(value);
    } catch (JsonProcessingException unfit) {
      throw new IllegalArgumentException(
          "Jackson can't write "
              + value.getClass().getName()
              + " as JSON: "
              + unfit.getOriginalMessage(),
          unfit);
    }
  }

  private static String at(JsonProcessingException problem) {
    JsonLocation location = problem.getLocation();
    return location == null
        ? ""
        : ", line " + location.getLineNr() + " column " + location.getColumnNr();
  }

  private static String path(JsonMappingException problem) {
    String path =
        problem.getPath().stream()
            .map(step -> step.getFieldName() == null ? "" + step.getIndex() : step.getFieldName())
            .collect(Collectors.joining("."));
    return path.isEmpty() ? "" : " at " + path;
  }

  private Json() {}
}
