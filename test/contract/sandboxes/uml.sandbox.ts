import { testContract } from './contract.ts';

testContract('uml');
