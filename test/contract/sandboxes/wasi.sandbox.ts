import { testContract } from './contract.ts';

testContract('wasi');
