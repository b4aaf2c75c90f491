package dev.tideover.sdk;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.type;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;

/** Who may know whom. */
@AnalyzeClasses(packages = "dev.tideover.sdk", importOptions = DoNotIncludeTests.class)
class LayersTest {

  @ArchTest
  static final ArchRule coreImportsOnlyWireAndItsLibraries =
      classes()
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage(
              "dev.tideover.sdk..",
              "dev.tideover.wire..",
              "org.apache.kafka..",
              "com.fasterxml.jackson..",
              "io.micrometer..",
              "org.slf4j..",
              "org.jspecify..",
              "java..",
              "javax.sql..");

  /** Neither need be in the JVM's image where there is no database. */
  @ArchTest
  static final ArchRule onlyTheInboxForJdbcNeedsJdbc =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tideover.sdk.jdbc")
          .and()
          .haveNameNotMatching(".*\\.Faults\\$Sql")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.sql", "javax.sql", "dev.tideover.sdk.jdbc");

  @ArchTest
  static final ArchRule theInboxForJdbcNeedsNothingOfTheEngine =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.sdk.jdbc")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.tideover.sdk.internal..", "dev.tideover.sdk.testing", "org.apache.kafka..");

  @ArchTest
  static final ArchRule onlyTheBuilderOfTheApiKnowsTheEngine =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.sdk")
          .and()
          .doNotHaveSimpleName("ConsumerBuilder")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tideover.sdk.internal..");

  /** The group's consumer has one owner, and so has each of those without a group. */
  @ArchTest
  static final ArchRule eachConsumerIsTouchedByOneClass =
      noClasses()
          .that()
          .doNotHaveSimpleName("GroupMember")
          .and()
          .doNotHaveSimpleName("LedgerReader")
          .and()
          .doNotHaveSimpleName("Members")
          .and()
          .doNotHaveSimpleName("ControlFollower")
          .should()
          .dependOnClassesThat(type(Consumer.class).or(type(KafkaConsumer.class)));

  @ArchTest
  static final ArchRule onlyOneClassTouchesTheProducer =
      noClasses()
          .that()
          .doNotHaveSimpleName("ReplySender")
          .should()
          .dependOnClassesThat(type(Producer.class).or(type(KafkaProducer.class)));

  /** No thread, no clock, no client: what a simulator can drive. */
  @ArchTest
  static final ArchRule theCoreIsPure =
      classes()
          .that()
          .resideInAPackage("dev.tideover.sdk.internal.core")
          .should()
          .onlyDependOnClassesThat(
              resideInAPackage("dev.tideover.sdk.internal.core")
                  .or(type(TopicPartition.class))
                  .or(type(Uuid.class))
                  .or(resideInAPackage("java.lang"))
                  .or(resideInAPackage("java.lang.invoke"))
                  .or(resideInAPackage("java.lang.runtime"))
                  .or(resideInAPackage("java.util"))
                  .or(resideInAPackage("java.util.function"))
                  .or(type(TimeUnit.class))
                  .or(resideInAPackage("java.util.stream"))
                  .or(resideInAPackage("java.util.concurrent.atomic"))
                  .or(type(TimeUnit.class))
                  .or(resideInAPackage("java.util.zip"))
                  .or(resideInAPackage("org.jspecify.annotations")));

  @ArchTest
  static final ArchRule theCoreHasNoThreadAndNoClock =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.sdk.internal.core")
          .should()
          .dependOnClassesThat(type(Thread.class))
          .orShould()
          .callMethod(System.class, "nanoTime")
          .orShould()
          .callMethod(System.class, "currentTimeMillis");

  @ArchTest
  static final ArchRule nobodySleeps =
      noClasses().should().callMethod(Thread.class, "sleep", long.class);
}
