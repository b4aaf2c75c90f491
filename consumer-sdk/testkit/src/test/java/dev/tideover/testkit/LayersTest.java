package dev.tideover.testkit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "dev.tideover", importOptions = ImportOption.DoNotIncludeTests.class)
class LayersTest {

  @ArchTest
  static final ArchRule ofOursTheTestkitUsesOnlyTheWireFormat =
      noClasses()
          .that()
          .resideInAPackage("dev.tideover.testkit..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.tideover.sdk..",
              "dev.tideover.gateway..",
              "dev.tideover.demo..",
              "dev.tideover.loadtests..");

  @ArchTest
  static final ArchRule onlyTheContainerBrokerKnowsTestcontainers =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName(ContainerBroker.class.getName())
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.testcontainers..");

  @ArchTest
  static final ArchRule onlyTheExtensionKnowsJUnit =
      classes()
          .that(
              JavaClass.Predicates.belongToAnyOf(
                  KafkaBroker.class, BrokerProcess.class, BrokerCommand.class, TestKafka.class))
          .should()
          .onlyDependOnClassesThat(
              com.tngtech.archunit.base.DescribedPredicate.not(
                  JavaClass.Predicates.resideInAPackage("org.junit..")));
}
